"""What is said to a message, as both ends know it: alone as a response, or as one event of a batch of answers.

| status | means | the event of a batch |
|---|---|---|
| 200 | the reply | the reply |
| 202 | the reply comes later: it is known when the command is asked again | of type `later` |
| 204 | taken; there is nothing to reply | of type `taken` |
| 4xx, 5xx | nothing was done | of type `problem`; its data are the details |

The answers of a batch stand in the order of what they answer; one that is not 200 has `status`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from amends.adapters.cloudevents import JSON
from amends.adapters.http import problems, wire
from amends.adapters.http.problems import ProblemDetails, Rejected, rejected
from amends.messages import Envelope, Outcome

_TYPES = {202: "later", 204: "taken"}
_encode = msgspec.json.Encoder().encode
_decode_problem = msgspec.json.Decoder(ProblemDetails).decode
_check_json = msgspec.json.Decoder(Raw).decode


class Answer(NamedTuple):
    """The serving end's: `reply` with 200, `problem` with 4xx and 5xx."""

    status: int
    reply: Envelope | None = None
    problem: ProblemDetails | None = None
    retry_after_s: float | None = None


LATER = Answer(202)
TAKEN = Answer(204)


def answer_of(problem: Rejected) -> Answer:
    return Answer(problem.details.status, problem=problem.details, retry_after_s=problem.retry_after_s)


class Response(NamedTuple):
    """Of HTTP. The names of headers are in lower case."""

    status: int
    headers: wire.Headers
    body: bytes


class Said(NamedTuple):
    """The asking end's: what an answer says of its command. `problem` only with a status of 400 and more."""

    status: int
    type: str = ""
    outcome: Outcome = Outcome.DONE
    payload: bytes = b"{}"
    problem: ProblemDetails | None = None


def response_of(answer: Answer) -> Response:
    """To a request that held one message, or that was answered as a whole."""
    if answer.reply is not None:
        return Response(200, wire.headers_of(answer.reply), answer.reply.payload)
    if answer.problem is None:
        return Response(answer.status, [], b"")
    headers = [(b"content-type", problems.MEDIA_TYPE.encode())]
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, round(answer.retry_after_s))))
    return Response(answer.status, headers, _encode(answer.problem))


def batch_of(asked: Sequence[Envelope], answers: Sequence[Answer]) -> Response:
    """To a batch, whatever came of each."""
    events = [_event(*each) for each in zip(asked, answers, strict=True)]
    return Response(200, [(b"content-type", wire.BATCH.encode())], wire.encode_batch(events))


def _event(asked: Envelope, answer: Answer) -> dict[str, Any]:
    if answer.reply is not None:
        return wire.event_of(answer.reply)
    about = {"specversion": "1.0", "id": f"{asked.id}.{answer.status}", "source": asked.to or "/"}
    if answer.problem is None:
        return about | {"type": _TYPES[answer.status], "status": str(answer.status)}
    media = {"datacontenttype": problems.MEDIA_TYPE, "data": answer.problem}
    return about | {"type": "problem", "status": str(answer.status)} | media


def read_answers(response: Response, count: int) -> list[Said]:
    """What a response below 300 says to `count` messages. Raises `Rejected` when it says nothing that is understood."""
    headers = dict(response.headers)
    if response.status != 200:
        return [Said(response.status)] * count
    if headers.get(b"content-type", b"").startswith(wire.BATCH.encode()):
        return _read_many(response.body, count)
    if count > 1 or b"ce-type" not in headers:
        raise rejected(502, "bad-answer", "the answer is neither a CloudEvent nor a batch of as many as were asked")
    reply = wire.read_texts(response.headers)
    return [_said(200, reply["ce-type"], reply.get("ce-outcome", ""), response.body)]


def problem_of(response: Response) -> ProblemDetails:
    """What a response from 300 on says, also one that knows nothing of problem details."""
    try:
        details = _decode_problem(response.body)
    except wire.UNREADABLE:
        details = ProblemDetails(detail=response.body[:200].decode("utf-8", "replace"))
    return msgspec.structs.replace(details, status=response.status)


def _read_many(body: bytes, count: int) -> list[Said]:
    try:
        said = [_read_event(item) for item in wire.decode_list(body)]
    except (*wire.UNREADABLE, ValueError) as error:
        raise rejected(502, "bad-answer", f"the batch of answers can't be read: {error}") from error
    if len(said) != count:
        raise rejected(502, "bad-answer", f"{len(said)} answers to {count} messages")
    return said


def _read_event(item: Raw) -> Said:
    event = wire.decode_event(item)
    status = int(event.status or 200)
    if event.datacontenttype == JSON:
        return _said(status, event.type, event.outcome, bytes(event.data))
    return Said(status, problem=msgspec.structs.replace(_decode_problem(event.data), status=status))


def _said(status: int, type: str, outcome: str, payload: bytes) -> Said:
    try:
        _check_json(payload)
        return Said(status, type, Outcome(outcome or Outcome.DONE), payload)
    except (*wire.UNREADABLE, ValueError) as error:
        raise rejected(502, "bad-answer", f"a reply of type {type[:50]!r} can't be read: {error}") from error
