"""The gateway's own table: what it has under each key."""

from collections.abc import Sequence

from amends import Migration, Tx
from amends.connections import Reader
from shop.payments.gateway_wire import Record

MIGRATIONS = (
    Migration(
        1,
        "gateway",
        (
            """
            create table authorizations (
                key text primary key,
                state text not null check (state in ('authorized', 'declined', 'captured', 'voided', 'refunded')),
                card_last4 text not null check (length(card_last4) <= 4),
                amount_minor bigint not null check (amount_minor >= 0),
                check (amount_minor > 0 or state = 'voided')
            )
            """,
        ),
    ),
)
_RECORD = "key, state, card_last4, amount_minor"

find_authorization = f"select {_RECORD} from authorizations where key = :key"
lock_authorizations = """
select a.key, a.state, a.card_last4, a.amount_minor
from keys cross join authorizations a on a.key = keys.key
"""
insert_authorization = f"insert into authorizations ({_RECORD}) values (:key, :state, :card_last4, :amount_minor)"
change_authorization = "update authorizations set state = :state where key = :key"
page_of_keys = "select key from authorizations where key > :after order by key limit :limit"
known_authorizations = """
select a.key, a.amount_minor, a.state from keys cross join authorizations a on a.key = keys.key
"""


async def find(reader: Reader, key: str) -> Record | None:
    rows = await reader.fetch(find_authorization, (key,))
    return Record(*rows[0]) if rows else None


async def lock(tx: Tx, keys: Sequence[str]) -> dict[str, Record]:
    """What there is under these keys; nobody else changes it until this transaction has ended."""
    return {row[0]: Record(*row) for row in await tx.lock_each(lock_authorizations, sorted({*keys}))}


async def insert(tx: Tx, records: Sequence[Record]) -> None:
    """Raises when one of the keys is taken."""
    await tx.run_many(
        insert_authorization, [(each.key, each.state, each.card_last4, each.amount_minor) for each in records]
    )


async def change(tx: Tx, records: Sequence[Record]) -> None:
    """Only states change."""
    await tx.run_many(change_authorization, [(each.state, each.key) for each in records])
