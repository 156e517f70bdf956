"""What has to hold in a simulated shop: now and then while it runs, and when everything has ended."""

from contextlib import AsyncExitStack
from typing import Any

import apsw

from amends.errors import AmendsError
from amends.messages import Operation, Outcome
from amends.pages import BarrierKey
from amends.state import ENDED, Phase
from amends.testing.scenarios import Violation
from amends.testing.worlds import World, storage_of
from shop.app import app
from shop.orders.definitions import ALL
from tests.simulation.shop_clients import Book
from tests.simulation.shop_compared import Compared
from tests.simulation.shop_models import Explained
from tests.simulation.shop_sown import MONEY

_DEFINITIONS = {(saga.name, saga.version): saga for saga in ALL}
_DONE = frozenset({Phase.DONE, Phase.RESOLVED})
_LEFT = {
    "sagas not ended": "select count(*) from sagas where status not in ('completed', 'compensated')",
    "messages in the outbox": "select count(*) from outbox",
    "messages set aside": "select count(*) from parked where retry_at is not null",
}
_LEFT_OF_ORDERS = {
    "orders to cancel": """
        select count(*) from orders where cancel_wanted = 1 and cancel_saga is null and status = 'approved'
    """,
}
_AT_REST = {
    "no message is set aside for good": (tuple(app.databases), "select id, error from parked"),
    "no order is pending": (("orders",), "select id, status from orders where status = 'pending'"),
    "no money is held": (("billing",), "select id, state from holds where state = 'held'"),
    "no card is only authorised": (
        ("payments",),
        "select payment_id, state from payments where state in ('asked', 'authorized')",
    ),
    "nothing waits for the gateway": (
        ("payments",),
        "select payment_id, wish from card_operations where state <> 'answered'",
    ),
    "the gateway holds nothing": (("gateway",), "select key, state from authorizations where state = 'authorized'"),
}
_ORDERS_OF_KEYS = """
select principal, key, cast(headers as text) from idempotency_keys
where route = '/api/orders' and status = 202
order by key, principal
"""
_ORDERS = "select id, user_id, status, total_minor, pay_with, items from orders order by id"
_DEPOSITS = """
select principal, key from idempotency_keys where route = '/api/wallet/deposits' and status = 201 order by key
"""
_ENDS = "select status, count(*) from orders group by status order by status"
_DEPOSITED = "select count(*), coalesce(sum(amount_minor), 0) from transfers where kind = 'deposit'"


class Judge:
    """Looks at the databases of one world."""

    def __init__(self, world: World, book: Book) -> None:
        self.violations: list[Violation] = []
        self._world = world
        self._book = book

    def violated(self, what: str, detail: str) -> None:
        self.violations.append(Violation(what, detail))
        self._world.tell("world", "violated", f"{what}: {detail}")

    async def look(self) -> None:
        """The shop's own invariants, in the middle of everything; not when a database can't be read."""
        try:
            await self._check()
        except (AmendsError, apsw.Error):
            self._world.tell("world", "could not look")

    async def end(self) -> None:
        """Everything, once the shop is at rest."""
        await self._check()
        for name, (databases, sql) in _AT_REST.items():
            for database in databases:
                for row in self._rows(database, sql):
                    self.violated(name, f"{database}: {' '.join(map(str, row))}")
        for wrong in self._book.wrong:
            self.violated("every answer is possible", wrong)
        for key in sorted(self._book.given_up):
            self.violated("everybody is answered", key)
        self._judge_orders()
        self._judge_deposits()
        for wrong in Explained(self._world, self._book).violations():
            self.violated("wallets and stock are linearizable", wrong)
        for room, wrong in Compared(self._world, self._book).violations():
            self.violated(f"{room} holds what was acknowledged", wrong)
        await self._judge_sagas()

    def check_files(self) -> None:
        """That nothing is torn."""
        for name in sorted(self._world.databases):
            for (told,) in self._rows(name, "pragma integrity_check"):
                if told != "ok":
                    self.violated("files are whole", f"{name}: {told}")

    def ends(self) -> dict[str, int]:
        """How many orders there are by status; none when the database can't be read."""
        try:
            return dict(self._rows("orders", _ENDS))
        except apsw.Error:
            return {}

    def unrest(self) -> str:
        """What has not come to its end yet, or that nobody knows."""
        try:
            return unrest(self._world)
        except apsw.Error as error:
            return str(error)

    async def _check(self) -> None:
        async with AsyncExitStack() as stack:
            storages = {name: storage_of(self._world, name) for name in app.databases}
            for storage in storages.values():
                stack.push_async_callback(storage.close)
            readers = {name: await stack.enter_async_context(each.reading()) for name, each in storages.items()}
            for check in app.checks:
                for finding in await check(readers):
                    if not finding.holds:
                        self.violated(finding.name, finding.detail or str(dict(finding.figures)))

    def _rows(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        return list(self._world.databases[database].connection.execute(sql))

    def _judge_orders(self) -> None:
        """One order a key, the one that its client was told of; no order without a key."""
        of_key = {key: id for _, key, id in self._rows("orders", _ORDERS_OF_KEYS)}
        ids = [row[0] for row in self._rows("orders", _ORDERS)]
        if sorted(of_key.values()) != ids:
            self.violated("one order a key", f"{len(of_key)} keys, {len(ids)} orders")
        for key, told in sorted(self._book.placed.items()):
            if told != {of_key.get(key)}:
                self.violated("an acknowledged order is there, once", f"{key}: {sorted(told)}, {of_key.get(key)}")

    def _judge_deposits(self) -> None:
        keys = [key for _, key in self._rows("billing", _DEPOSITS)]
        by_key = {key: paying for key, (paying, _, _) in self._book.deposits.items()}
        ((count, total),) = self._rows("billing", _DEPOSITED)
        before = sown_deposits()
        for key in sorted(set(keys) - by_key.keys()):
            self.violated("every deposit has been asked for", key)
        keys = [key for key in keys if key in by_key]
        wanted = (before[0] + len(keys), before[1] + sum(by_key[key].amount_minor for key in keys))
        if (count, total) != wanted or len(set(keys)) != len(keys):
            self.violated("one deposit a key", f"{count} of {total} in all, not {wanted[0]} of {wanted[1]}")
        for key, (_, _, returned) in sorted(self._book.deposits.items()):
            if returned is not None and key not in keys:
                self.violated("an acknowledged deposit is there", key)

    async def _judge_sagas(self) -> None:
        """All forward, or all undone: what the participants have done is what the saga says."""
        storage = storage_of(self._world, "orders")
        async with storage.reading() as reader:
            ids = [row[0] for row in self._rows("orders", "select id from sagas order by id")]
            sagas = await storage.sagas.load(reader, ids)
        await storage.close()
        done = self._done()
        for id, instance in sorted(sagas.items()):
            if instance.state.status not in ENDED:
                self.violated("every saga ends", f"{id} is {instance.state.status}")
                continue
            definition = _DEFINITIONS[instance.name, instance.version]
            for step, state in zip(definition.steps, instance.state.steps, strict=True):
                acted = BarrierKey(id, step.name, Operation.ACTION) in done
                undone = BarrierKey(id, step.name, Operation.COMPENSATION) in done
                where = f"{id} {step.name} is {state.phase}: acted {acted}, undone {undone}"
                if state.phase in _DONE and (undone or not (acted or step.ask is None)):
                    self.violated("done is done", where)
                if instance.state.backward and acted and not undone and state.phase is not Phase.FAILED:
                    self.violated("turned back is undone", where)

    def _done(self) -> frozenset[tuple[str, str, str]]:
        sql = f"select saga, step, operation from inbox where outcome = '{Outcome.DONE}'"
        return frozenset(
            BarrierKey(saga, step, Operation(operation))
            for name in app.databases
            for saga, step, operation in self._rows(name, sql)
        )


def unrest(world: World) -> str:
    """What has not come to its end yet."""
    left = []
    for name, database in world.databases.items():
        for what, sql in (_LEFT | _LEFT_OF_ORDERS if name == "orders" else _LEFT).items():
            count = database.connection.execute(sql).fetchall()[0][0]
            if count:
                left.append(f"{name}: {count} {what}")
    return ", ".join(left)


def sown_deposits() -> tuple[int, int]:
    """How many deposits a shop begins with, and their sum."""
    return len(MONEY), sum(MONEY.values())
