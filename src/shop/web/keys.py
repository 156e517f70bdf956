"""Idempotency keys over HTTP: effect and answer in one transaction."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from litestar.params import HeaderParameter

from amends.connections import Tx
from amends.idempotency import IdempotencyKeys
from amends.pages import KeyScope, StoredAnswer
from shop.web.problems import Answer

KeyHeader = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="your name for one intent: repeat it safely",
    ),
]
REPLAYED = (b"idempotent-replayed", b"true")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[tuple[str, str]]).decode


async def answer_once(
    keys: IdempotencyKeys, tx: Tx, scope: KeyScope, wanted: bytes, effect: Callable[[], Awaitable[Answer]]
) -> Answer:
    """The answer of `effect`, stored, refusal or not; or the stored one again. Raises `KeyReused`, `KeyInUse`.

    `wanted` is the request's fingerprint. The key goes in first: whoever asks meanwhile waits for this transaction.
    """
    stored = await keys.claim(tx, scope, wanted)
    if stored is not None:
        headers = [(name.encode(), value.encode()) for name, value in _decode(stored.headers)]
        return Answer(stored.status, [*headers, REPLAYED], stored.body)
    answer = await effect()
    kept = _encode([(name.decode(), value.decode()) for name, value in answer.headers])
    await keys.finish(tx, scope, StoredAnswer(wanted, answer.status, kept, answer.body, 0.0))
    return answer
