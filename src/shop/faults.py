"""The switches that break a room on purpose, for a process that was started with `--faults`."""

from amends.faults import Faults
from amends.ports import Runtime
from shop.app import app
from shop.participants import PARTICIPANTS, REFUSALS


def faults_of(room: str, wanted: bool, runtime: Runtime) -> Faults | None:
    """Those of a room; None when they are not wanted, or when the room takes no commands."""
    if not wanted or room not in PARTICIPANTS:
        return None
    definitions = [saga for sagas in app.sagas.values() for saga in sagas]
    return Faults(runtime, definitions, REFUSALS.get(room))
