"""The page `idempotency_keys`: what each key was answered."""

from collections.abc import Sequence

import apsw

from amends.connections import Reader, Tx
from amends.errors import Conflict
from amends.pages import KeyScope, StoredAnswer

CREATE = (
    """
    create table idempotency_keys (
        principal text not null,
        method text not null,
        route text not null,
        key text not null,
        fingerprint blob not null,
        status integer not null,
        headers blob not null,
        body blob not null,
        lease_until real not null,
        created_at real not null,
        primary key (key, principal, route, method)
    ) strict, without rowid
    """,
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
from keys cross join idempotency_keys on idempotency_keys.key = keys.key
"""
remove_keys = "delete from idempotency_keys where created_at < :created_before"


class SqliteKeys:
    """The `Keys` port."""

    async def known(self, tx: Reader, scopes: Sequence[KeyScope]) -> dict[KeyScope, StoredAnswer]:
        rows = await tx.fetch_each(known_keys, [scope.key for scope in scopes])
        return {KeyScope(*row[:4]): StoredAnswer(*row[4:]) for row in rows}

    async def insert(self, tx: Tx, rows: Sequence[tuple[KeyScope, StoredAnswer]]) -> None:
        try:
            await tx.run_many(insert_key, [(*scope, *answer, tx.now) for scope, answer in rows])
        except apsw.ConstraintError as error:
            raise Conflict(f"an idempotency key was claimed already: {error}") from error

    async def replace(self, tx: Tx, scope: KeyScope, answer: StoredAnswer) -> None:
        await tx.run(replace_key, (*answer, *scope))

    async def remove_before(self, tx: Tx, created_before: float) -> int:
        return await tx.run(remove_keys, (created_before,))
