"""Commands that look for sagas and messages: sagas, stuck, parked."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from typing import NamedTuple

from amends.commands.command import OK, Command, Desk, Unusable
from amends.commands.screen import Cell, duration, styled
from amends.commands.timeline import step_names
from amends.connections import Reader
from amends.pages import Instance, Parked, SagaFilter
from amends.plan import at_work, is_stuck, stuck_entry
from amends.ports import Storage
from amends.state import Status

_MOST = 10_000
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Found(NamedTuple):
    """A saga, the database that holds it, and the names of its steps."""

    database: str
    instance: Instance
    steps: list[str]

    @property
    def at(self) -> list[str]:
        """The steps at which it stands."""
        return [self.steps[at] for at in at_work(self.instance.state)]

    def age(self, now: float) -> float:
        return now - self.instance.started_at

    def data(self, now: float) -> dict[str, object]:
        id, name, version, _, state, *_ = self.instance
        who = {"id": id, "name": name, "version": version, "database": self.database}
        return who | {"state": state.status, "at": self.at, "cause": state.cause, "age_s": round(self.age(now), 3)}


def whole(text: str) -> int:
    """A number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def seconds(text: str) -> float:
    """`90`, `90s`, `5m`, `2h`, `1d`."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    if not number.replace(".", "", 1).isdecimal():
        raise ArgumentTypeError(f"{text!r} is no time: write 90s, 5m, 2h or 1d")
    return float(number) * _UNITS[unit]


def _sagas_options(parser: ArgumentParser) -> None:
    parser.add_argument("--state", choices=[status.value for status in Status], help="only sagas in this state")
    parser.add_argument("--name", help="only sagas of this definition")
    parser.add_argument("--older-than", type=seconds, default=0.0, metavar="TIME", help="began longer ago: 90s, 5m, 2h")
    parser.add_argument("--step", help="only sagas that stand at this step")
    parser.add_argument("--limit", type=whole, default=50, help="at most so many (default: 50)")
    parser.add_argument("--db", help="only sagas in this database")


async def _sagas(desk: Desk, options: Namespace) -> int:
    now = desk.runtime.now()
    wanted = SagaFilter(options.state, options.name, now - options.older_than, None, options.limit)
    async with desk.sagas() as storages:
        if options.db and options.db not in storages:
            raise Unusable(f"no sagas in a database {options.db!r}: they are in {', '.join(storages)}")
        chosen = {name: storages[name] for name in storages if options.db in (None, name)}
        found = (await find(desk, chosen, wanted, options.step))[: options.limit]
    rows = [(each.instance.id, each.instance.name, where(each), duration(each.age(now))) for each in found]
    data = [each.data(now) for each in found]
    desk.screen.show(data, rows, ("id", "saga", "state", "age"), keep=(0, 3), none="no such saga")
    return OK


async def find(desk: Desk, storages: dict[str, Storage], wanted: SagaFilter, step: str | None = None) -> list[Found]:
    """Newest first; more than the limit when several databases have as many. Only what has not ended is at a step."""
    found: list[Found] = []
    for database, storage in storages.items():
        async with storage.reading() as reader:
            rows = await storage.sagas.find(reader, wanted) if step is None else await _moving(storage, reader, wanted)
        found += [found_in(desk, database, each) for each in rows]
    found.sort(key=lambda each: each.instance.id, reverse=True)
    return [each for each in found if step is None or step in each.at]


def found_in(desk: Desk, database: str, each: Instance) -> Found:
    return Found(database, each, step_names(desk.app.definition(each.name, each.version), each.state))


async def _moving(storage: Storage, reader: Reader, wanted: SagaFilter) -> list[Instance]:
    before = wanted.started_before or float("inf")
    young = [each for each in await storage.sagas.in_flight(reader) if each.started_at <= before]
    named = [each for each in young if wanted.name in (None, each.name)]
    return [each for each in named if wanted.status in (None, each.state.status)]


def where(each: Found) -> Cell:
    """`stuck at capture money: timeout`, `stuck undoing hold money: hold-gone`, `compensated: out-of-stock`."""
    state, steps = each.instance.state, ", ".join(each.at)
    stuck = state.status is Status.STUCK
    why = stuck_entry(state, at_work(state)[0]).detail if stuck else state.cause
    doing = " undoing " if stuck and state.backward else " at "
    return styled(state.status, (doing + steps if steps else "") + (f": {why}" if why else ""))


async def _stuck(desk: Desk, _: Namespace) -> int:
    now = desk.runtime.now()
    async with desk.sagas() as storages:
        found = await find(desk, storages, SagaFilter(Status.STUCK, limit=_MOST))
    messages = [each for each in await _parked_messages(desk) if is_stuck(each[1])]
    sagas, rows = [], []
    for each in found:
        for at in at_work(each.instance.state):
            line, name = stuck_entry(each.instance.state, at), each.steps[at]
            sagas.append(each.data(now) | {"step": name, "since": line.at, "why": line.detail})
            told = f"{name}: {line.detail}", duration(now - line.at)
            rows.append((each.instance.id, each.instance.name, *told))
    data = {"sagas": sagas, "messages": [_message(*each) for each in messages]}
    desk.screen.show(data, rows, ("saga", "name", "stuck at", "for"), keep=(0, 3), none="no saga is stuck")
    if not desk.screen.json:
        _show_messages(desk, messages, now, "no message is parked")
    return OK


async def _parked(desk: Desk, _: Namespace) -> int:
    messages = await _parked_messages(desk)
    _show_messages(desk, messages, desk.runtime.now(), "no message is parked or deferred")
    return OK


async def _parked_messages(desk: Desk) -> list[tuple[str, Parked]]:
    """With the names of their databases."""
    found: list[tuple[str, Parked]] = []
    async with desk.home.open() as storages:
        for database, storage in storages.items():
            async with storage.reading() as reader:
                found += [(database, each) for each in await storage.parking.all(reader, _MOST)]
    return found


def _message(database: str, parked: Parked) -> dict[str, object]:
    envelope, error, attempts, retry_at, parked_at = parked
    what = {"id": envelope.id, "type": envelope.type, "to": envelope.to, "saga": envelope.saga, "database": database}
    return what | {"error": error, "attempts": attempts, "retry_at": retry_at, "parked_at": parked_at}


def _show_messages(desk: Desk, messages: Sequence[tuple[str, Parked]], now: float, none: str) -> None:
    rows = [
        (each.envelope.id, each.envelope.type, each.error, _next_try(each, now), duration(now - each.parked_at))
        for _, each in messages
    ]
    head = ("message", "type", "error", "next try", "for")
    desk.screen.show([_message(*each) for each in messages], rows, head, keep=(0, 3, 4), none=none)


def _next_try(each: Parked, now: float) -> Cell:
    if is_stuck(each):
        return styled("stuck")
    return "later" if each.retry_at is None else f"in {duration(each.retry_at - now)}"


COMMANDS = (
    Command("sagas", "list sagas, newest first", "amends sagas --state stuck --older-than 5m", _sagas, _sagas_options),
    Command("stuck", "list what needs a person: sagas and messages", "amends stuck", _stuck),
    Command("parked", "list messages that were set aside", "amends parked --json", _parked),
)
