"""The tables of payments: each payment, and the operations that the gateway has to be asked for."""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from amends import Migration, Tx
from amends.connections import Reader, Row
from amends.participant import Asked
from shop import papers
from shop.payments.domain import PaymentState, Wish

MIGRATIONS = (
    Migration(
        1,
        "payments",
        (
            """
            create table payments (
                payment_id text primary key,
                card_last4 text not null check (length(card_last4) <= 4),
                amount_minor bigint not null check (amount_minor >= 0),
                state text not null
                    check (state in ('asked', 'authorized', 'declined', 'captured', 'voided', 'refunded')),
                check (amount_minor > 0 or state = 'voided')
            )
            """,
            """
            create table card_operations (
                payment_id text not null references payments (payment_id),
                nth bigint not null check (nth > 0),
                wish text not null check (wish in ('authorize', 'void', 'capture', 'refund')),
                state text not null check (state in ('waiting', 'superseded', 'answered')),
                card text,
                saga text not null,
                step text not null,
                operation text not null check (operation in ('action', 'compensation')),
                attempts bigint not null check (attempts >= 0),
                due_at double precision not null,
                primary key (payment_id, nth),
                check ((card is not null) = (wish = 'authorize' and state = 'waiting')),
                check (state <> 'superseded' or wish = 'authorize')
            )
            """,
            "create index card_operations_due on card_operations (due_at) where state = 'waiting'",
            "create unique index card_operations_asked on card_operations (saga, step, operation) "
            "where state <> 'answered'",
        ),
    ),
    papers.migration(2),
    Migration(
        3,
        "charges",
        (
            """
            create table charges (
                payment_id text primary key references payments (payment_id),
                number bigint not null check (number > 0)
            )
            """,
        ),
    ),
)
_OPERATION = (
    "o.payment_id, o.nth, o.wish, o.saga, o.step, o.operation, o.attempts, o.card, p.amount_minor, p.state, "
    "coalesce(c.number, 0)"
)

find_payment = "select payment_id, card_last4, amount_minor, state from payments where payment_id = :payment_id"
insert_payment = """
insert into payments (payment_id, card_last4, amount_minor, state)
values (:payment_id, :card_last4, :amount_minor, :state)
"""
insert_charge = "insert into charges (payment_id, number) values (:payment_id, :number)"
set_payment_state = "update payments set state = :state where payment_id = :payment_id"
find_standing = """
select p.payment_id, p.card_last4, p.amount_minor, p.state,
    (select coalesce(max(nth), 0) from card_operations o where o.payment_id = p.payment_id),
    exists (select 1 from card_operations o where o.payment_id = p.payment_id and o.state <> 'answered')
from keys cross join payments p on p.payment_id = key
"""
insert_operation = """
insert into card_operations
    (payment_id, nth, wish, state, card, saga, step, operation, attempts, due_at)
values (:payment_id, :nth, :wish, 'waiting', :card, :saga, :step, :operation, 0, :now)
"""
supersede_authorization = """
update card_operations set state = 'superseded', card = null
where payment_id = :payment_id and wish = 'authorize' and state = 'waiting'
"""
due_operations = f"""
select {_OPERATION}
from card_operations o
    join payments p on p.payment_id = o.payment_id
    left join charges c on c.payment_id = o.payment_id
where o.state = 'waiting' and o.due_at <= :now
    and not exists (
        select 1 from card_operations earlier
        where earlier.payment_id = o.payment_id and earlier.nth < o.nth and earlier.state = 'waiting'
    )
order by o.due_at
limit :limit
"""
open_operations = f"""
select {_OPERATION}
from keys
    cross join card_operations o on o.payment_id = key
    join payments p on p.payment_id = o.payment_id
    left join charges c on c.payment_id = o.payment_id
where o.state <> 'answered'
order by o.payment_id, o.nth
"""
close_operation = """
update card_operations set state = 'answered', card = null
where payment_id = :payment_id and nth = :nth and state <> 'answered'
"""
postpone_operation = """
update card_operations set due_at = :due_at, attempts = :attempts
where payment_id = :payment_id and nth = :nth and state = 'waiting'
"""
settled_payments = """
select payment_id, amount_minor, state from payments p
where payment_id > :after
    and not exists (select 1 from card_operations o where o.payment_id = p.payment_id and o.state <> 'answered')
order by payment_id
limit :limit
"""
payments_in_flight = "select count(distinct payment_id) from card_operations where state <> 'answered'"
known_payments = "select payment_id from keys cross join payments on payment_id = key"


class Payment(NamedTuple):
    """A row of `payments`; of the card's number only the end is kept."""

    payment_id: str
    card_last4: str
    amount_minor: int
    state: PaymentState


class Standing(NamedTuple):
    """A payment, the number of its last operation, and whether one of them still waits for the gateway."""

    payment: Payment
    last: int = 0
    waits: bool = False


class Noted(NamedTuple):
    """An operation to note."""

    payment_id: str
    nth: int
    wish: Wish
    card: str | None
    asked: Asked


class CardOperation(NamedTuple):
    """An operation that is not answered yet, with what is known of its payment.

    The card's number is kept with its authorisation, which can't be asked for without it, and only until the answer
    is known. `charge`: the money is taken at once, for the order of this number; 0: it is only set aside.
    """

    payment_id: str
    nth: int
    wish: Wish
    asked: Asked
    attempts: int
    card: str | None
    amount_minor: int
    payment_state: PaymentState
    charge: int = 0


class Settled(NamedTuple):
    """The state of a payment after its operation `nth`."""

    nth: int
    state: PaymentState


async def find(reader: Reader, payment_id: str) -> Payment | None:
    rows = await reader.fetch(find_payment, (payment_id,))
    return Payment._make(rows[0])._replace(state=PaymentState(rows[0][3])) if rows else None


async def standing(tx: Tx, payment_ids: Sequence[str]) -> dict[str, Standing]:
    """How those of these payments stand that were ever asked for."""
    return {
        id: Standing(Payment(id, last4, amount_minor, PaymentState(state)), last, bool(waits))
        for id, last4, amount_minor, state, last, waits in await tx.fetch_each(find_standing, sorted({*payment_ids}))
    }


async def open_payments(tx: Tx, payments: Sequence[Payment], charges: Mapping[str, int]) -> None:
    """New ones. Of those in `charges` the money is taken with the authorisation, for the order of this number."""
    await tx.run_many(insert_payment, payments)
    await tx.run_many(insert_charge, list(charges.items()))


async def note(tx: Tx, noted: Sequence[Noted]) -> None:
    """Each behind those that wait; a void takes the place of an authorisation not known yet."""
    voided = {each.payment_id for each in noted if each.wish is Wish.VOID}
    await tx.run_many(supersede_authorization, [(id,) for id in sorted(voided)])
    rows = [(id, nth, wish, card, *asked, tx.now) for id, nth, wish, card, asked in noted]
    await tx.run_many(insert_operation, rows)


async def due(reader: Reader, now: float, limit: int, busy: Container[str] = ()) -> list[CardOperation]:
    """The first waiting operation of each payment whose time has come, the longest due first; without `busy` ones."""
    rows = await reader.fetch(due_operations, (now, limit))
    return _operations([row for row in rows if row[0] not in busy])


async def close(tx: Tx, told: Mapping[str, Settled]) -> list[tuple[CardOperation, PaymentState]]:
    """Writes what has become of payments, by id; returns the operations that this answers: what it superseded as well.

    None are left of a payment whose operation somebody else has closed before.
    """
    found: dict[str, list[CardOperation]] = {}
    for each in _operations(await tx.fetch_each(open_operations, sorted(told))):
        if each.nth <= told[each.payment_id].nth:
            found.setdefault(each.payment_id, []).append(each)
    closed = {id: told[id].state for id, each in found.items() if each[-1].nth == told[id].nth}
    answered = [(each, state) for id, state in closed.items() for each in found[id]]
    await tx.run_many(set_payment_state, [(state, id) for id, state in closed.items()])
    await tx.run_many(close_operation, [(each.payment_id, each.nth) for each, _ in answered])
    return answered


async def postpone(tx: Tx, waiting: CardOperation, due_at: float) -> None:
    """Counts an attempt; the next one is due at the Unix time `due_at`."""
    await tx.run(postpone_operation, (due_at, waiting.attempts + 1, waiting.payment_id, waiting.nth))


def _operations(rows: Sequence[Row]) -> list[CardOperation]:
    return [
        CardOperation(id, nth, Wish(wish), Asked(*asked), attempts, card, amount_minor, PaymentState(state), charge)
        for id, nth, wish, *asked, attempts, card, amount_minor, state, charge in rows
    ]
