"""Orders with a number: their money is taken at once, and everybody is told what was asked and what became of it."""

from collections.abc import Sequence

from amends import Refusal, Reply, Tx
from amends.faults import Refuse, RefusedByFault
from amends.messages import Command, Event, reason_of, type_name
from amends.participant import Asked
from shop.payments import tables
from shop.payments.contract import Paid, Pay, PaymentTold, PaymentWanted
from shop.payments.domain import Wish
from shop.payments.participant import Answers, Wanted, payments, settle
from shop.service_status import ServiceStatus

TOLD: tuple[type[Event], ...] = (PaymentWanted, PaymentTold)


@payments.handles_many_later(Pay)
async def pay(tx: Tx, commands: Sequence[Pay], asked: Sequence[Asked]) -> Answers:
    """Tells of each that it is wanted, then what is known of it already."""
    known = await tables.standing(tx, [each.payment_id for each in commands])
    for command in commands:
        if command.payment_id not in known:
            _tell_wanted(tx, command)
    answers = await settle(tx, known, [_wanted(*pair) for pair in zip(commands, asked, strict=True)])
    return [
        None if reply is None else tell_paid(tx, command.number, reply)
        for command, reply in zip(commands, answers, strict=True)
    ]


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


def _wanted(command: Pay, asked: Asked) -> Wanted:
    return Wanted(command.payment_id, Wish.AUTHORIZE, asked, command.account, command.amount_minor, command.number)


def _tell_wanted(tx: Tx, command: Pay) -> None:
    number, key = command.number, str(command.number)
    tx.tell(PaymentWanted(number, command.method, command.amount_minor), key=key)
    tx.tell(PaymentTold(number, ServiceStatus.ACCEPTED), key=key)
