"""Orders with a number: their money is taken at once, and everybody is told what was asked and what became of it."""

from amends import Refusal, Reply, Tx
from amends.faults import Refuse, RefusedByFault
from amends.messages import Command, Event, reason_of, type_name
from amends.participant import Asked
from shop.payments import tables
from shop.payments.contract import CardDeclined, Paid, Pay, PaymentTold, PaymentWanted
from shop.payments.domain import Move, PaymentState, Wish, chargeable, decide
from shop.payments.participant import answer, payments
from shop.service_status import ServiceStatus

TOLD: tuple[type[Event], ...] = (PaymentWanted, PaymentTold)


@payments.handles_later(Pay)
async def pay(tx: Tx, command: Pay, asked: Asked) -> Reply | Refusal | None:
    known = await tables.find(tx, command.payment_id)
    if known is None:
        return await _open(tx, command, asked)
    move = decide(Wish.AUTHORIZE, known.state)
    if move is Move.CALL:
        await tables.note(tx, command.payment_id, Wish.AUTHORIZE, asked, command.account)
        return None
    return tell_paid(tx, command.number, answer(Wish.AUTHORIZE, move))


async def refuse(tx: Tx, command: Pay) -> Refusal:
    """On purpose."""
    _tell_wanted(tx, command)
    tell_paid(tx, command.number, RefusedByFault())
    return RefusedByFault()


REFUSALS: dict[type[Command], Refuse] = {Pay: refuse}


def tell_paid(tx: Tx, number: int, reply: Reply | Refusal) -> Reply | Refusal:
    """Tells what became of a payment; returns what its command is answered."""
    refused = isinstance(reply, Refusal)
    status = ServiceStatus.NOT_OK if refused else ServiceStatus.OK
    tx.tell(PaymentTold(number, status, reason_of(type_name(type(reply))) if refused else ""), key=str(number))
    return reply if refused else Paid()


async def _open(tx: Tx, command: Pay, asked: Asked) -> Refusal | None:
    _tell_wanted(tx, command)
    if not chargeable(command.account, command.amount_minor):
        tell_paid(tx, command.number, CardDeclined())
        return CardDeclined()
    wanted = tables.Payment(command.payment_id, command.account[-4:], command.amount_minor, PaymentState.ASKED)
    await tables.open_charge(tx, wanted, command.number)
    await tables.note(tx, command.payment_id, Wish.AUTHORIZE, asked, command.account)
    return None


def _tell_wanted(tx: Tx, command: Pay) -> None:
    number, key = command.number, str(command.number)
    tx.tell(PaymentWanted(number, command.method, command.amount_minor), key=key)
    tx.tell(PaymentTold(number, ServiceStatus.ACCEPTED), key=key)
