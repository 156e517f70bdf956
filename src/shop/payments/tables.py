"""The tables of payments: each payment, and the operations that the gateway has to be asked for."""

from collections.abc import Sequence
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
insert_operation = """
insert into card_operations
    (payment_id, nth, wish, state, card, saga, step, operation, attempts, due_at)
select :payment_id, coalesce(max(nth), 0) + 1, :wish, 'waiting', :card, :saga, :step, :operation, 0, :now
from card_operations
where payment_id = :payment_id
"""
find_open = "select 1 from card_operations where payment_id = :payment_id and state <> 'answered' limit 1"
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
from card_operations o
    join payments p on p.payment_id = o.payment_id
    left join charges c on c.payment_id = o.payment_id
where o.payment_id = :payment_id and o.nth <= :nth and o.state <> 'answered'
order by o.nth
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


async def find(reader: Reader, payment_id: str) -> Payment | None:
    rows = await reader.fetch(find_payment, (payment_id,))
    return Payment._make(rows[0])._replace(state=PaymentState(rows[0][3])) if rows else None


async def open_payment(tx: Tx, payment: Payment) -> None:
    await tx.run(insert_payment, payment)


async def open_charge(tx: Tx, payment: Payment, number: int) -> None:
    """A payment whose money is taken as soon as it is authorised, for the order of this number."""
    await open_payment(tx, payment)
    await tx.run(insert_charge, (payment.payment_id, number))


async def note(tx: Tx, payment_id: str, wish: Wish, asked: Asked, card: str | None) -> None:
    """Puts an operation behind those that wait; a void takes the place of an authorisation not known yet."""
    if wish is Wish.VOID:
        await tx.run(supersede_authorization, (payment_id,))
    await tx.run(insert_operation, (payment_id, wish, card, *asked, tx.now))


async def has_open(reader: Reader, payment_id: str) -> bool:
    """Something about this payment still waits for the gateway."""
    return bool(await reader.fetch(find_open, (payment_id,)))


async def due(reader: Reader, now: float, limit: int) -> list[CardOperation]:
    """The first waiting operation of each payment whose time has come, the longest due first."""
    return _operations(await reader.fetch(due_operations, (now, limit)))


async def close(tx: Tx, done: CardOperation, state: PaymentState) -> list[CardOperation]:
    """Writes what has become of a payment; returns the operations that this answers: `done`, and what it superseded.

    None are left when somebody else has closed it before.
    """
    closed = _operations(await tx.fetch(open_operations, (done.payment_id, done.nth)))
    if not closed or closed[-1].nth != done.nth:
        return []
    await tx.run(set_payment_state, (state, done.payment_id))
    await tx.run_many(close_operation, [(each.payment_id, each.nth) for each in closed])
    return closed


async def postpone(tx: Tx, waiting: CardOperation, due_at: float) -> None:
    """Counts an attempt; the next one is due at the Unix time `due_at`."""
    await tx.run(postpone_operation, (due_at, waiting.attempts + 1, waiting.payment_id, waiting.nth))


def _operations(rows: Sequence[Row]) -> list[CardOperation]:
    return [
        CardOperation(id, nth, Wish(wish), Asked(*asked), attempts, card, amount_minor, PaymentState(state), charge)
        for id, nth, wish, *asked, attempts, card, amount_minor, state, charge in rows
    ]
