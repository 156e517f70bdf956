"""Access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037), and nothing else.

The libraries behind them are loaded with the first token: they cost more memory than the rest of this room.
"""

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from amends.connections import Tx
from amends.ports import Runtime
from amends.service import Service
from shop.users.domain import User
from shop.users.tables import SigningKey, add_signing_key, signing_keys
from shop.web import Principal

if TYPE_CHECKING:
    from jwt.types import Options

ISSUER = "amends-shop"
AUDIENCE = "amends-shop-api"
LIFETIME_S = 15 * 60
MOST_CACHED = 4096
ASK_EVERY_S = 5.0
_MOST_LENGTH = 4096
_ALGORITHM = "EdDSA"
_CLAIMS = ["iss", "aud", "exp", "nbf", "iat", "sub", "email"]
_OPTIONS: "Options" = {"require": _CLAIMS, "verify_exp": False, "verify_nbf": False, "verify_iat": False}


class PublicKey(msgspec.Struct, frozen=True):
    """A key as RFC 7517 and RFC 8037 write it."""

    kty: str
    crv: str
    alg: str
    use: str
    kid: str
    x: str


class PublicKeys(msgspec.Struct, frozen=True):
    """A JWK set."""

    keys: list[PublicKey]

    def by_kid(self) -> dict[str, str]:
        return {key.kid: key.x for key in self.keys}


class Issuer:
    """Makes tokens with one key."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    def issue(self, user: User, now: float) -> str:
        """A token for `LIFETIME_S` seconds; `now` is Unix time in seconds."""
        import jwt  # noqa: PLC0415 - see the module's text
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        at = int(now)
        claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": at, "nbf": at, "exp": at + LIFETIME_S}
        private = Ed25519PrivateKey.from_private_bytes(_raw(self._key.private))
        named = claims | {"sub": user.id, "email": user.email}
        return jwt.encode(named, private, _ALGORITHM, headers={"kid": self._key.kid})


class Verifier:
    """Knows whose token it is. A signature is checked once a token, its time with every request.

    `keys` are the raw public keys, base64url, by `kid`. A token of another key is a reason to `ask` for them anew, at
    most every `ASK_EVERY_S` seconds.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        ask: Callable[[], Awaitable[PublicKeys]] | None = None,
        most: int = MOST_CACHED,
    ) -> None:
        self._keys = dict(keys)
        self._ask = ask
        self._most = most
        self._known: OrderedDict[bytes | str, tuple[Principal, float]] = OrderedDict()
        self._asking = asyncio.Lock()
        self._asked_at = 0.0

    def principal(self, authorization: bytes | str | None, now: float) -> Principal | None:
        """Takes the whole header; None for whatever isn't a good token at `now`."""
        if authorization is None:
            return None
        known = self._known.get(authorization)
        if known is None:
            return self._first(authorization, now)
        if now < known[1]:
            self._known.move_to_end(authorization)
            return known[0]
        del self._known[authorization]
        return None

    async def late_principal(self, authorization: bytes | str | None, now: float) -> Principal | None:
        """The same for what `principal` has refused: its key may have come since the keys were asked for."""
        kid = None if authorization is None else _kid(_token(authorization))
        if kid is None or kid in self._keys or self._ask is None:
            return None
        async with self._asking:
            if kid not in self._keys and now >= self._asked_at + ASK_EVERY_S:
                self._asked_at = now
                self._learn((await self._ask()).by_kid())
        return self.principal(authorization, now)

    def _learn(self, keys: Mapping[str, str]) -> None:
        if not self._keys.keys() <= keys.keys():
            self._known.clear()  # one of them may be signed with a key that is gone
        self._keys.clear()
        self._keys.update(keys)

    def _first(self, authorization: bytes | str, now: float) -> Principal | None:
        token = _token(authorization)
        claims = self._claims(token) if token else None
        if claims is None or not _timely(claims, now):
            return None
        principal = Principal(claims["sub"], claims["email"])
        self._known[authorization] = principal, claims["exp"]
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return principal

    def _claims(self, token: str) -> dict[str, Any] | None:
        """What a token says, when one of our keys has signed it for us."""
        import jwt  # noqa: PLC0415 - see the module's text
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        try:
            kid = _kid(token)
            public = None if kid is None else self._keys.get(kid)
            if public is None:
                return None
            key = Ed25519PublicKey.from_public_bytes(_raw(public))
            claims = jwt.decode(token, key, algorithms=[_ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS)
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        return claims if _typed(claims) else None


async def verifier_of(ask: Callable[[], Awaitable[PublicKeys]]) -> Verifier:
    """Knows the keys that the room of users has now, and learns of new ones."""
    return Verifier((await ask()).by_kid(), ask)


async def load_keys(service: Service) -> list[SigningKey]:
    """The keys in the database of users, the newest last; the first one is made here."""

    async def load(tx: Tx) -> list[SigningKey]:
        keys = await signing_keys(tx)
        if not keys:
            keys = [make_key(service.runtime)]
            await add_signing_key(tx, keys[0])
        return keys

    return await service.transact(load)


def make_key(runtime: Runtime) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    private = Ed25519PrivateKey.generate()
    return SigningKey(
        runtime.new_id(), _text(private.private_bytes_raw()), _text(private.public_key().public_bytes_raw())
    )


def published(keys: Iterable[SigningKey]) -> PublicKeys:
    """What everybody may know of them."""
    return PublicKeys([PublicKey("OKP", "Ed25519", _ALGORITHM, "sig", key.kid, key.public) for key in keys])


def _token(authorization: bytes | str) -> str:
    """What stands behind `Bearer`; empty when there is no such thing, or too much of it."""
    if len(authorization) > _MOST_LENGTH:
        return ""
    header = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _kid(token: str) -> str | None:
    """The name of the key that a token says that it is signed with."""
    import jwt  # noqa: PLC0415 - see the module's text

    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    return kid if isinstance(kid, str) else None


def _timely(claims: dict[str, Any], now: float) -> bool:
    """`nbf` and `iat` may be a second ahead: another process's clock may have made the token."""
    return max(claims["nbf"], claims["iat"]) <= now + 1 and bool(now < claims["exp"])


def _typed(claims: dict[str, Any]) -> bool:
    times = all(type(claims[name]) in (int, float) for name in ("exp", "nbf", "iat"))
    return times and all(isinstance(claims[name], str) and claims[name] for name in ("sub", "email"))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
