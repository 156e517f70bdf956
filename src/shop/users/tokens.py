"""Access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037), and nothing else.

The libraries behind them are loaded with the first token: they cost more memory than the rest of this room.
"""

import base64
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
_MOST_LENGTH = 4096
_ALGORITHM = "EdDSA"
_CLAIMS = ["iss", "aud", "exp", "nbf", "iat", "sub", "email"]
_OPTIONS: "Options" = {"require": _CLAIMS, "verify_exp": False, "verify_nbf": False, "verify_iat": False}


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
    """Knows whose token it is. A signature is checked once a token, its time with every request."""

    def __init__(self, keys: Mapping[str, str], most: int = MOST_CACHED) -> None:
        """`keys` are the raw public keys, base64url, by `kid`."""
        self._keys = dict(keys)
        self._most = most
        self._known: OrderedDict[bytes | str, tuple[Principal, float]] = OrderedDict()

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

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys (RFC 7517)."""
        fixed = {"kty": "OKP", "crv": "Ed25519", "alg": _ALGORITHM, "use": "sig"}
        return {"keys": [fixed | {"kid": kid, "x": public} for kid, public in self._keys.items()]}

    def _first(self, authorization: bytes | str, now: float) -> Principal | None:
        if len(authorization) > _MOST_LENGTH:
            return None
        header = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization
        scheme, _, token = header.partition(" ")
        claims = self._claims(token.strip()) if scheme.lower() == "bearer" else None
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
            kid = jwt.get_unverified_header(token).get("kid")
            public = self._keys.get(kid) if isinstance(kid, str) else None
            if public is None:
                return None
            key = Ed25519PublicKey.from_public_bytes(_raw(public))
            claims = jwt.decode(token, key, algorithms=[_ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS)
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        return claims if _typed(claims) else None


async def load_keys(service: Service) -> list[SigningKey]:
    """The keys in the database of users, the newest last; the first one is made here."""
    async with service.storage.transaction(service.runtime.now()) as tx:
        keys = await signing_keys(tx)
        if not keys:
            keys = [make_key(service.runtime)]
            await add_signing_key(tx, keys[0])
    return keys


def make_key(runtime: Runtime) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    private = Ed25519PrivateKey.generate()
    return SigningKey(
        runtime.new_id(), _text(private.private_bytes_raw()), _text(private.public_key().public_bytes_raw())
    )


def tokens_of(keys: Sequence[SigningKey]) -> tuple[Issuer, Verifier]:
    """Signs with the newest key, takes the signatures of all of them."""
    return Issuer(keys[-1]), Verifier({key.kid: key.public for key in keys})


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
