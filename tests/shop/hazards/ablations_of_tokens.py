"""Rules of access tokens, each taken out by a patch."""

from typing import Any

import jwt
import pytest

from shop.users import tokens
from shop.users.tokens import Verifier

Patch = pytest.MonkeyPatch
Claims = dict[str, Any]


def issuers_are_not_compared(patch: Patch) -> None:
    _option(patch, verify_iss=False)


def audiences_are_not_compared(patch: Patch) -> None:
    _option(patch, verify_aud=False)


def signatures_are_not_checked(patch: Patch) -> None:
    _option(patch, verify_signature=False, verify_iss=True, verify_aud=True)


def _option(patch: Patch, **changed: bool) -> None:
    patch.setattr(tokens, "_OPTIONS", {**tokens._OPTIONS, **changed})


def exp_is_not_checked(patch: Patch) -> None:
    patch.setattr(tokens, "_timely", lambda claims, now: bool(max(claims["nbf"], claims["iat"]) <= now + 1))


def known_tokens_never_end(patch: Patch) -> None:
    first = Verifier._first

    def for_ever(self: Verifier, authorization: bytes | str, now: float) -> Any:
        principal = first(self, authorization, now)
        if principal is not None:
            self._known[authorization] = principal, float("inf")
        return principal

    patch.setattr(Verifier, "_first", for_ever)


def nbf_is_not_checked(patch: Patch) -> None:
    patch.setattr(tokens, "_timely", lambda claims, now: bool(now < claims["exp"]))


def unsigned_tokens_are_let_in(patch: Patch) -> None:
    _algorithm_of_the_token(patch, {"none"})


def token_chooses_its_algorithm(patch: Patch) -> None:
    _algorithm_of_the_token(patch, {"HS256"})


def _algorithm_of_the_token(patch: Patch, more: set[str]) -> None:
    """These are taken, too, when the token names them."""
    decode = jwt.decode

    def naive(token: str, key: Any, algorithms: list[str], **rest: Any) -> Claims:
        named = jwt.get_unverified_header(token)["alg"]
        if named not in more:
            return decode(token, key, algorithms, **rest)
        secret: Any = key.public_bytes_raw()
        if named == "none":
            secret = None
            rest["options"] = {**rest["options"], "verify_signature": False, "verify_iss": True, "verify_aud": True}
        return decode(token, secret, [named], **rest)

    patch.setattr(jwt, "decode", naive)


def token_brings_its_key(patch: Patch) -> None:
    """What isn't the name of a key is taken for one."""

    class Trusting(dict[str, str]):
        def get(self, kid: str, default: Any = None) -> Any:
            return super().get(kid, kid if len(kid) == 43 else default)

    _keys(patch, Trusting)


def unknown_key_names_mean_the_first_key(patch: Patch) -> None:
    class Guessing(dict[str, str]):
        def get(self, kid: str, default: Any = None) -> Any:
            return super().get(kid, next(iter(self.values())))

    _keys(patch, Guessing)


def _keys(patch: Patch, kind: type[dict[str, str]]) -> None:
    make = Verifier.__init__

    def trusting(self: Verifier, keys: Any, *rest: Any) -> None:
        make(self, keys, *rest)
        self._keys = kind(keys)

    patch.setattr(Verifier, "__init__", trusting)
