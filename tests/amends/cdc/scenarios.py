"""Scenarios of the hazards of a capture: each is run as it is, and again with its rule taken out.

a slot keeps log that no one needs while its outbox is quiet
    quiet_outbox: no_heartbeat
what a lost slot has swallowed
    lost_slot: rows_are_not_kept
sent once more
    resent: no_barrier
"""

import asyncio
from pathlib import Path

from amends.adapters.kafka_connect import KafkaConnect
from amends.adapters.postgres.debezium import slot_name
from amends.adapters.postgres.recovery import resend
from amends.adapters.postgres.slots import Bounds, SlotGuard
from amends.cli import main
from tests.amends.cdc.town import Servers, Town, bank, mail, town_on
from tools.servers import Postgres, running

MIB = 2**20
_LITTLE = 4 * MIB
_SEGMENTS = 4
moves_s = 30.0


async def opened(town: Town) -> None:
    """A captured bank, and a mail room that listens to it."""
    await town.room("mail", mail(), captured=False)
    await town.room("bank", bank())


async def quiet_outbox(servers: Servers, folder: Path) -> None:
    """Another database of the server writes a lot: the slot moves although the bank tells nothing."""
    async with town_on(servers) as town:
        await opened(town)
        await town.tell("ann", [1])
        await town.heard("ann", 1)
        await write_much(town)

        async def has_moved() -> bool:
            slot = await town.slot("bank")
            return slot.lag_bytes is not None and slot.lag_bytes < _LITTLE

        await town.until(has_moved, "the slot moves although its outbox is quiet", moves_s)


async def write_much(town: Town) -> None:
    """Some log that is not the bank's."""
    sql = "select pg_logical_emit_message(true, 'much', repeat('x', 1000000)) from generate_series(1, 24)"
    await town.servers.postgres.run(sql, database=town.database("mail"))


async def resent(servers: Servers, folder: Path) -> None:
    """Everything that the table holds is sent again: who has heard it, drops it."""
    async with town_on(servers) as town:
        await opened(town)
        await town.tell("ann", [1, 2, 3])
        await town.heard("ann", 3)
        assert await resend(town.services["bank"].storage, town.kafka) == 3
        await town.tell("ann", [4])
        heard = await town.heard("ann", 4)
        assert heard == [1, 2, 3, 4], f"what was sent twice was heard twice: {heard}"


async def lost_slot(servers: Servers, folder: Path) -> None:
    """The database gives a slot up whose capture stands still; after the recovery all has been heard once, in order."""
    postgres = Postgres(folder / "postgres", servers.postgres.version, {"max_slot_wal_keep_size": "16MB"})
    async with running(postgres), town_on(servers._replace(postgres=postgres)) as town:
        await opened(town)
        await town.tell("ann", [1, 2])
        await town.heard("ann", 2)
        await KafkaConnect(servers.connect.url).stop(town.connector("bank"))
        await town.tell("ann", [3, 4])
        await lose_slot(town)
        await alarm(town)
        telling = asyncio.create_task(tell_on(town, range(5, 100)))
        await recover(town)
        await telling
        await town.tell("ann", [100])
        heard = await town.heard("ann", 100)
        assert heard == list(range(1, 101)), f"not each once, in order: {heard}"


async def tell_on(town: Town, numbers: range) -> None:
    """The bank does not wait for its capture."""
    for number in numbers:
        await town.tell("ann", [number])


async def lose_slot(town: Town) -> None:
    """Writes log until the database gives up keeping it."""
    postgres = town.servers.postgres
    for _ in range(_SEGMENTS):
        await postgres.run("select pg_logical_emit_message(true, 'much', 'log'), pg_switch_wal()")
        await postgres.run("checkpoint")
    assert (await town.slot("bank")).status == "lost"


async def alarm(town: Town) -> None:
    """The service's guard tells of it."""
    heard: list[str] = []
    bank = town.services["bank"]
    bank.signals.listen(lambda name, _: heard.append(name))
    guard = SlotGuard(bank.storage, slot_name(town.connector("bank")), town.runtime.now, bank.signals, Bounds())
    await guard()
    assert "slot.lost" in heard
    assert guard.slot.is_lost


async def recover(town: Town) -> None:
    """As an operator would."""
    where = ["--dsn", town.dsn("bank"), "--name", town.connector("bank"), "--prefix", town.settings.prefix]
    to = ["--connect", town.servers.connect.url, "--kafka", town.settings.bootstrap]
    assert await asyncio.to_thread(main, ["cdc", "recover", *where, *to]) == 0
    await town.servers.postgres.wait_for_slot(slot_name(town.connector("bank")))
