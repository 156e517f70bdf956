"""How a saga lies in a row of the page `sagas`: what operators look for in columns, the rest packed in msgpack."""

from collections.abc import Sequence

import msgspec

from amends.connections import Row, Value
from amends.history import History
from amends.pages import Instance
from amends.state import SagaState, Status, StepState

COLUMNS = "id, name, version, input, state, history, revision, wake_at, traceparent, started_at, shard, status"


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The column `state`: a `SagaState` without its history and its status."""

    backward: bool
    group: int
    deadline: float
    cause: str
    steps: tuple[StepState, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode
_STATUS = {status.value: status for status in Status}


def row_of(each: Instance) -> Sequence[Value]:
    """In the order of `COLUMNS`."""
    return (
        each.id,
        each.name,
        each.version,
        each.input,
        *packed(each.state),
        each.revision,
        each.wake_at,
        each.traceparent,
        each.started_at,
        each.shard,
        each.state.status,
    )


def packed(state: SagaState) -> tuple[bytes, bytes]:
    """The columns `state` and `history`."""
    stored = Stored(state.backward, state.group, state.deadline, state.cause, state.steps)
    return _encode(stored), state.history.pack()


def instance_of(row: Row) -> Instance:
    id, name, version, input, state, history, revision, wake_at, traceparent, started_at, shard, status = row
    stored = _decode(state)
    value = SagaState(
        _STATUS[status],
        stored.backward,
        stored.group,
        stored.deadline,
        stored.cause,
        stored.steps,
        History(history),
    )
    return Instance(id, name, version, input, value, revision, wake_at, traceparent, started_at, shard)
