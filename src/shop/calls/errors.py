"""What a call may raise, and how it travels: as problem details (RFC 9457) with the error's own name.

    Unavailable
    ├── RoomUnavailable    the room can't be reached: nothing has happened
    └── CommitUnknown
        └── AnswerLost     it was asked, and the answer did not come: it may have happened
    CallFailed             something is wrong with one of the two processes; asking again won't help

What the room itself raised is raised again by the caller: whatever is in `amends.errors`, and `Problem`.
"""

import msgspec

from amends import errors
from amends.errors import AmendsError, CannotMend, CommitUnknown, Conflict, KeyInUse, KeyReused, Overloaded, Unavailable
from amends.messages import reason_of
from shop.web.problems import MEDIA_TYPE, Answer, Problem

_LATER = (KeyInUse, Overloaded)
_KINDS: dict[str, type[AmendsError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, AmendsError)
}


class RoomUnavailable(Unavailable):
    """Names the room and its address."""


class AnswerLost(CommitUnknown):
    """Names the room and the call."""


class CallFailed(Exception):
    """Names the call and what was answered."""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error on its way. `error` is its class: one of the library's, or `Problem`."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    error: str = ""
    retry_after_s: float | None = None
    saga_id: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Told).decode


def answer_of(error: Problem | AmendsError) -> Answer:
    """What the room's process answers instead of a result."""
    told = _told(error)
    return Answer(told.status, [(b"content-type", MEDIA_TYPE.encode())], _encode(told))


def error_of(call: str, status: int, body: bytes) -> Exception:
    """What the caller raises."""
    try:
        told = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return CallFailed(f"{call}: answered {status}, and no problem details")
    if told.error == "Problem":
        name = told.type.rpartition("/")[2]
        later, saga = told.retry_after_s, told.saga_id
        return Problem(told.status, name, told.detail, title=told.title, retry_after_s=later, saga_id=saga)
    kind = _KINDS.get(told.error)
    if kind is None:
        return CallFailed(f"{call}: answered {status}: {told.detail}")
    return kind(told.detail, told.retry_after_s or 0.0) if kind in _LATER else kind(told.detail)


def _told(error: Problem | AmendsError) -> Told:
    if isinstance(error, Problem):
        return Told(
            f"/problems/{error.name}",
            error.title,
            error.status,
            error.detail,
            "Problem",
            error.retry_after_s,
            error.saga_id,
        )
    kind = next(each.__name__ for each in type(error).__mro__ if _KINDS.get(each.__name__) is each)
    later = error.retry_after_s if isinstance(error, _LATER) else None
    return Told(f"/problems/{reason_of(kind)}", kind, _status(error), str(error), kind, later)


def _status(error: AmendsError) -> int:
    match error:
        case KeyReused():
            return 422
        case KeyInUse() | Conflict() | CannotMend():
            return 409
        case _:
            return 503
