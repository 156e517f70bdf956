"""Commands that mend stuck sagas: retry, skip, resolve. Written down here, carried out by the sagas' coordinator."""

import getpass
from argparse import ArgumentParser, Namespace
from functools import partial
from typing import NamedTuple

from amends.commands.command import NO, OK, Command, Desk, Unusable, find_saga, no_saga
from amends.commands.looking import find
from amends.machine import Moment
from amends.mending import Action, mend
from amends.pages import Instance, Mend, Parked, SagaFilter
from amends.ports import Storage
from amends.state import Status

DONE = "done"
AT_START = "will be carried out when the program starts"
NOT_YET = "not carried out yet: look again with `amends saga ID`"
_POLL_S = 0.1
_MOST = 10_000


class Asked(NamedTuple):
    """A mend, written into the database that has its saga."""

    storage: Storage
    mend: Mend


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the saga's id")
    parser.add_argument("--step", default="", help="only this step (default: every stuck step)")
    _common(parser)


def _skip_options(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the saga's id")
    parser.add_argument("--step", required=True, help="the stuck step to give up")
    _common(parser)


def _retry_options(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?", help="the id of a saga, or of a parked message")
    which.add_argument("--all", action="store_true", help="every stuck saga")
    parser.add_argument("--step", default="", help="only this step (default: every stuck step)")
    _common(parser)


def _common(parser: ArgumentParser) -> None:
    parser.add_argument("--why", required=True, help="the reason; it is recorded")
    parser.add_argument("--who", help="who decides; it is recorded (default: the login name)")
    parser.add_argument("--wait", type=float, default=5.0, metavar="S", help="seconds to wait for it (default: 5)")


async def _mend(action: Action, desk: Desk, options: Namespace) -> int:
    if not options.why.strip():
        raise Unusable("--why is empty: say why, it is recorded")
    who = options.who or _login()
    async with desk.home.open() as storages:
        coordinating = {name: storages[name] for name in desk.app.sagas}
        targets = await _targets(desk, coordinating, options)
        if targets is None and action is Action.RETRY:
            return await _retry_message(desk, storages, options.id, options.wait)
        if targets is None:
            raise no_saga(options.id, coordinating)
        asked = [await _ask(desk, storage, each, action, who, options) for storage, each in targets]
        results = await _results(desk, asked, options.wait)
    return _show(desk, asked, results)


async def _targets(
    desk: Desk, storages: dict[str, Storage], options: Namespace
) -> list[tuple[Storage, Instance]] | None:
    """The sagas that are meant; None when the id is that of no saga, but may be a message's."""
    if options.id is None:
        stuck = await find(desk, storages, SagaFilter(Status.STUCK, limit=_MOST), options.step or None)
        return [(storages[each.database], each.instance) for each in stuck]
    found = await find_saga(storages, options.id)
    return None if found is None else [(storages[found[0]], found[1])]


async def _ask(desk: Desk, storage: Storage, instance: Instance, action: Action, who: str, options: Namespace) -> Asked:
    """Refuses at once what is impossible as the saga stands; the coordinator decides anew."""
    saga, now = desk.app.definition(instance.name, instance.version), desk.runtime.now()
    if saga is not None:
        mend(saga, instance.state, action, options.why, Moment(now, 0.0), options.step)
    asked = Mend(desk.runtime.new_id(), instance.id, options.step, action.value, who, options.why, now)
    async with storage.transaction(now) as tx:
        await storage.mends.insert(tx, asked)
    return Asked(storage, asked)


async def _results(desk: Desk, asked: list[Asked], wait_s: float) -> dict[str, str]:
    """What the coordinators made of it, by the mend's id; those not carried out in time are missing."""
    until = desk.runtime.now() + wait_s
    results: dict[str, str] = {}
    while True:
        for storage, each in asked:
            if each.id not in results:
                async with storage.reading() as reader:
                    closed = [row for row in await storage.mends.of_saga(reader, each.saga) if row.applied_at]
                results |= {row.id: row.result for row in closed if row.id == each.id}
        if len(results) == len(asked) or desk.home.owner() is None or desk.runtime.now() >= until:
            return results
        await desk.runtime.sleep(_POLL_S)


def _show(desk: Desk, asked: list[Asked], results: dict[str, str]) -> int:
    waiting = AT_START if desk.home.owner() is None else NOT_YET
    told = [each._replace(result=results.get(each.id, waiting)) for _, each in asked]
    rows = [(each.saga, each.action, each.result) for each in told]
    desk.screen.show([each._asdict() for each in told], rows, (), keep=(0, 1), none="no saga is stuck")
    return OK if all(each.result in (DONE, AT_START) for each in told) else NO


async def _retry_message(desk: Desk, storages: dict[str, Storage], id: str, wait_s: float) -> int:
    """A message that was set aside is due at once, with a whole budget; its worker looks every second."""
    for storage in storages.values():
        row = await _parked(storage, id)
        if row is not None:
            async with storage.transaction(desk.runtime.now()) as tx:
                await storage.parking.update(tx, row._replace(retry_at=tx.now, attempts=0))
            result = await _outcome(desk, storage, id, wait_s)
            desk.screen.show({"message": id, "result": result}, [(id, "retry", result)], (), keep=(0, 1))
            return OK if result in (DONE, AT_START) else NO
    raise no_saga(id, desk.app.sagas)


async def _outcome(desk: Desk, storage: Storage, id: str, wait_s: float) -> str:
    until = desk.runtime.now() + wait_s
    while desk.home.owner() is not None:
        row = await _parked(storage, id)
        if row is None:
            return DONE
        if row.attempts:
            return f"failed again: {row.error}"
        if desk.runtime.now() >= until:
            return NOT_YET
        await desk.runtime.sleep(_POLL_S)
    return AT_START


async def _parked(storage: Storage, id: str) -> Parked | None:
    async with storage.reading() as reader:
        return next((each for each in await storage.parking.all(reader, _MOST) if each.envelope.id == id), None)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise Unusable("nobody is logged in here: say who with --who NAME") from None


_HELP = {
    Action.RETRY: ("ask stuck steps afresh", 'amends retry 0198f2a4-… --why "the gateway is back"', _retry_options),
    Action.SKIP: ("give a stuck step up", 'amends skip 0198f2a4-… --step notify --why "no address"', _skip_options),
    Action.RESOLVE: ("say that it was done by hand", 'amends resolve 0198f2a4-… --why "refunded by hand"', _options),
}
COMMANDS = tuple(
    Command(action.value, help, example, partial(_mend, action), options)
    for action, (help, example, options) in _HELP.items()
)
