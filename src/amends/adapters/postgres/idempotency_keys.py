"""The page `idempotency_keys`: what each key was answered."""

from collections.abc import Sequence

from amends.adapters.postgres.connection import look_up
from amends.connections import Reader, Tx
from amends.pages import KeyScope, StoredAnswer

CREATE = (
    """
    create table idempotency_keys (
        principal text not null,
        method text not null,
        route text not null,
        key text not null,
        fingerprint bytea not null,
        status bigint not null,
        headers bytea not null,
        body bytea not null,
        lease_until double precision not null,
        created_at double precision not null,
        primary key (key, principal, route, method)
    )
    """,
    "create index idempotency_keys_by_age on idempotency_keys (created_at)",
)
insert_key = """
insert into idempotency_keys
    (principal, method, route, key, fingerprint, status, headers, body, lease_until, created_at)
values (:principal, :method, :route, :key, :fingerprint, :status, :headers, :body, :lease_until, :now)
"""
replace_key = """
update idempotency_keys
set fingerprint = :fingerprint, status = :status, headers = :headers, body = :body, lease_until = :lease_until
where principal = :principal and method = :method and route = :route and key = :key
"""
known_keys = """
select principal, method, route, idempotency_keys.key, fingerprint, status, headers, body, lease_until
from keys join idempotency_keys on idempotency_keys.key = keys.key
"""
remove_keys = "delete from idempotency_keys where created_at < :created_before"


class PostgresKeys:
    """The `Keys` port."""

    async def known(self, tx: Reader, scopes: Sequence[KeyScope]) -> dict[KeyScope, StoredAnswer]:
        rows = await look_up(tx, known_keys, [scope.key for scope in scopes])
        return {KeyScope(*row[:4]): StoredAnswer(*row[4:]) for row in rows}

    async def insert(self, tx: Tx, rows: Sequence[tuple[KeyScope, StoredAnswer]]) -> None:
        await tx.run_many(insert_key, [(*scope, *answer, tx.now) for scope, answer in rows])

    async def replace(self, tx: Tx, scope: KeyScope, answer: StoredAnswer) -> None:
        await tx.run(replace_key, (*answer, *scope))

    async def remove_before(self, tx: Tx, created_before: float) -> int:
        return await tx.run(remove_keys, (created_before,))
