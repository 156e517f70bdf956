"""A broker that is killed, a reader that is killed, a reader that freezes: everything arrives, in order per key."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from amends.adapters.kafka import Kafka, KafkaSettings, create_topics
from amends.conformance.fixtures import envelope
from amends.conformance.transport_suite import PATIENCE_S, ids, ignore, received
from amends.messages import Envelope
from tests.amends.adapters.kafka_clusters import fresh_settings
from tests.amends.adapters.kafka_listening import Floor, Heard, Takings
from tests.amends.adapters.mock_kafka import PARTITIONS
from tools.servers import Kafka as KafkaServer
from tools.servers import running

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def settings(kafka_server: KafkaServer) -> KafkaSettings:
    made = fresh_settings(kafka_server)
    await create_topics(made, ["hotel"], PARTITIONS)
    return made


def some(count: int, first: int = 0) -> list[Envelope]:
    return [envelope(f"{number:05}", key=f"k{number % 20}") for number in range(first, first + count)]


class Process:
    """A reader in a process of its own, and what it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def says(self, what: str) -> list[str]:
        """The rest of its next line, which begins with that."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
        words = line.decode().split()
        assert words[:1] == [what], words
        return words[1:]

    def gets(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


@asynccontextmanager
async def reader(settings: KafkaSettings) -> AsyncIterator[Process]:
    arguments = ("-m", "tests.amends.adapters.kafka_reader", settings.bootstrap, settings.prefix)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_everything_arrives_though_the_broker_is_killed(kafka_server: KafkaServer, tmp_path: Path) -> None:
    """It is one of its own: the session's has more topics to recover than there is time."""
    floor, taken, heard, server = Floor(), Takings(), Heard(), KafkaServer(tmp_path)
    settings = KafkaSettings(bootstrap=server.bootstrap)
    async with running(server):
        await create_topics(settings, ["hotel"], PARTITIONS)
        async with Kafka(settings, heard.signals) as kafka:
            await floor.desk(kafka.subscribe("hotel"), PARTITIONS)
            kafka.send(some(500), taken)
            await floor.until(lambda: bool(floor.messages))
            kafka.send(some(500, 500), taken)
            await server.kill()
            kafka.send(some(500, 1_000), taken)
            await heard.first("kafka.failed")
            await server.start()
            kafka.send(some(500, 1_500), taken)
            await taken.all_of(some(2_000), 60)
            await floor.has(some(2_000))
            await floor.close()


async def test_what_a_killed_reader_had_comes_to_the_next_one(settings: KafkaSettings) -> None:
    async with Kafka(settings) as kafka, reader(settings) as dying:
        kafka.send(some(20), ignore)
        assert await dying.says("gained") == ["0", "1", "2", "3"]
        got = await dying.says("received")
        dying.gets(signal.SIGKILL)
        assert set(got) <= set(ids(await received(kafka.subscribe("hotel"), 20)))


async def test_reader_that_froze_finds_its_shards_gone_and_commits_nothing(settings: KafkaSettings) -> None:
    floor = Floor()
    async with Kafka(settings) as kafka, reader(settings) as frozen:
        kafka.send(some(20), ignore)
        assert await frozen.says("gained") == ["0", "1", "2", "3"]
        await frozen.says("received")
        frozen.gets(signal.SIGSTOP)
        await floor.desk(kafka.subscribe("hotel"), PARTITIONS)
        await floor.has(some(20))
        kafka.send(some(20, 20), ignore)
        await floor.has(some(40))
        frozen.gets(signal.SIGCONT)
        assert await frozen.says("lost") == ["0", "1", "2", "3"]
        await frozen.says("acknowledged")
        assert len(await frozen.says("gained")) == PARTITIONS // 2
        kafka.send(some(20, 40), ignore)
        assert set(await frozen.says("received")) <= set(ids(some(20, 40)))
        await floor.close()
    assert len(floor.messages) == len(set(ids(floor.messages)))
