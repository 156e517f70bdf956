"""The gateway's own table: what it has under each key."""

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
insert_authorization = f"""
insert into authorizations ({_RECORD}) values (:key, :state, :card_last4, :amount_minor)
on conflict (key) do nothing
"""
move_authorization = "update authorizations set state = :after where key = :key and state = :before"
page_of_keys = "select key from authorizations where key > :after order by key limit :limit"
known_authorizations = """
select a.key, a.amount_minor, a.state from keys cross join authorizations a on a.key = keys.key
"""


async def find(reader: Reader, key: str) -> Record | None:
    rows = await reader.fetch(find_authorization, (key,))
    return Record(*rows[0]) if rows else None


async def insert(tx: Tx, record: Record) -> bool:
    """True when the key is new; otherwise nothing changes."""
    return bool(await tx.run(insert_authorization, (record.key, record.state, record.card_last4, record.amount_minor)))


async def move(tx: Tx, key: str, before: str, after: str) -> None:
    """Changes the state from `before`; in any other it stays."""
    await tx.run(move_authorization, (after, key, before))
