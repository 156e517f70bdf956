"""Only our own fresh tokens let anybody in."""

import asyncio
import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from amends.adapters.asyncio_runtime import AsyncioRuntime
from shop.users.domain import User
from shop.users.tables import SigningKey, add_signing_key
from shop.users.tokens import (
    AUDIENCE,
    ISSUER,
    LIFETIME_S,
    Issuer,
    PublicKeys,
    Verifier,
    load_keys,
    make_key,
    published,
    verifier_of,
)
from shop.web import Principal
from tests.shop.web.edges import SLOT, Edges

NOW = 2_000_000_000.0
ANN = User("018f-ann", "ann@example.com", "Ann")
GOOD = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": ANN.id,
    "email": ANN.email,
    "iat": int(NOW),
    "nbf": int(NOW),
    "exp": int(NOW) + 60,
}
KEY = make_key(AsyncioRuntime())


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=")


def verifier() -> Verifier:
    return Verifier({KEY.kid: KEY.public})


def signed(claims: dict[str, Any], kid: str = KEY.kid, private: bytes = raw(KEY.private)) -> str:
    key = Ed25519PrivateKey.from_private_bytes(private)
    return "Bearer " + jwt.encode(claims, key, "EdDSA", headers={"kid": kid})


def part(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("how", [str, str.encode], ids=["text", "bytes"])
def test_own_token_names_its_user(how: Any) -> None:
    header = how("Bearer " + Issuer(KEY).issue(ANN, NOW))
    known = verifier()
    assert known.principal(header, NOW) == Principal(ANN.id, ANN.email)
    assert known.principal(header, NOW + 1) == Principal(ANN.id, ANN.email)


def test_token_ends_also_when_it_is_known() -> None:
    header = "Bearer " + Issuer(KEY).issue(ANN, NOW)
    known = verifier()
    assert known.principal(header, NOW + LIFETIME_S - 1) is not None
    assert known.principal(header, NOW + LIFETIME_S) is None
    assert known.principal(header, NOW + LIFETIME_S + 1) is None
    assert verifier().principal(header, NOW + LIFETIME_S) is None


def test_token_is_not_good_before_its_time() -> None:
    assert verifier().principal(signed(GOOD | {"nbf": int(NOW) + 60}), NOW) is None


def test_known_tokens_have_a_bound() -> None:
    known = Verifier({KEY.kid: KEY.public}, most=3)
    headers = [signed(GOOD | {"sub": str(each)}) for each in range(5)]
    for header in headers:
        assert known.principal(header, NOW) is not None
    assert len(known._known) == 3
    assert headers[4] in known._known


@pytest.mark.parametrize("missing", GOOD)
def test_every_claim_is_needed(missing: str) -> None:
    assert verifier().principal(signed(GOOD), NOW) is not None
    assert verifier().principal(signed({name: value for name, value in GOOD.items() if name != missing}), NOW) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "somebody"},
        {"aud": "another-api"},
        {"aud": ["another-api"]},
        {"exp": int(NOW) - 1},
        {"exp": "never"},
        {"exp": None},
        {"exp": True},
        {"sub": 7},
        {"sub": ""},
        {"email": None},
    ],
    ids=str,
)
def test_foreign_or_expired_claims_are_refused(wrong: dict[str, Any]) -> None:
    try:
        header = signed(GOOD | wrong)
    except TypeError:  # the library doesn't even sign it
        header = f"Bearer {part({'alg': 'EdDSA', 'kid': KEY.kid})}.{part(GOOD | wrong)}.AAAA"
    assert verifier().principal(header, NOW) is None


def test_forged_signature_is_refused() -> None:
    other = make_key(AsyncioRuntime())
    assert verifier().principal(signed(GOOD, private=raw(other.private)), NOW) is None


def test_unknown_key_is_refused() -> None:
    assert verifier().principal(signed(GOOD, kid="another"), NOW) is None


def test_changed_claims_are_refused() -> None:
    head, _, signature = signed(GOOD).split(".")
    assert verifier().principal(f"{head}.{part(GOOD | {'sub': 'bob'})}.{signature}", NOW) is None


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256"])
def test_other_algorithms_are_refused(algorithm: str) -> None:
    header = part({"alg": algorithm, "typ": "JWT", "kid": KEY.kid})
    unsigned = f"Bearer {header}.{part(GOOD)}."
    assert verifier().principal(unsigned, NOW) is None
    assert verifier().principal(unsigned + "AAAA", NOW) is None


def test_public_key_as_a_shared_secret_is_refused() -> None:
    token = jwt.encode(GOOD, raw(KEY.public), "HS256", headers={"kid": KEY.kid})
    assert verifier().principal(f"Bearer {token}", NOW) is None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        b"",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Basic YTpi",
        b"Bearer \xff\xfe",
        "Bearer " + "x" * 9999,
    ],
    ids=lambda header: repr(header)[:14],
)
def test_what_is_no_token_is_refused(header: str | bytes | None) -> None:
    assert verifier().principal(header, NOW) is None


def test_deeply_nested_token_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 2500).rstrip(b"=").decode()
    assert verifier().principal(f"Bearer {deep}.{deep[:400]}.x", NOW) is None


async def test_keys_stay_over_restarts(edges: Edges) -> None:
    keys = await load_keys(edges.services["users"])
    assert keys == await load_keys(edges.services["users"])
    known = Verifier(published(keys).by_kid())
    assert known.principal("Bearer " + Issuer(keys[-1]).issue(ANN, NOW), NOW) is not None


class Room:
    """Has keys to give; counts how often it is asked."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = list(keys)
        self.asked = 0

    async def jwks(self) -> PublicKeys:
        self.asked += 1
        await asyncio.sleep(0)
        return published(self.keys)


async def test_token_of_a_new_key_is_let_in_once_the_room_is_asked_again() -> None:
    room, fresh = Room(KEY), make_key(AsyncioRuntime())
    known = await verifier_of(room.jwks)
    room.keys.append(fresh)
    header = "Bearer " + Issuer(fresh).issue(ANN, NOW)
    assert known.principal(header, NOW) is None
    assert await known.late_principal(header, NOW) == known.principal(header, NOW) == Principal(ANN.id, ANN.email)
    assert room.asked == 2


async def test_tokens_of_unknown_keys_ask_seldom() -> None:
    room = Room(KEY)
    known = await verifier_of(room.jwks)
    for second in range(11):
        assert await known.late_principal(signed(GOOD, kid=f"unknown {second}"), NOW + second) is None
    assert room.asked == 1 + 3


async def test_all_who_come_with_a_new_key_wait_for_the_same_answer() -> None:
    room = Room(KEY)
    known = Verifier({}, room.jwks)
    headers = [signed(GOOD | {"sub": str(each)}) for each in range(5)]
    found = await asyncio.gather(*(known.late_principal(each, NOW) for each in headers))
    assert [each.user_id for each in found if each] == ["0", "1", "2", "3", "4"]
    assert room.asked == 1


@pytest.mark.parametrize("header", [None, "", "Bearer x", signed(GOOD | {"exp": 1}), signed(GOOD | {"aud": "x"})])
async def test_what_is_wrong_with_a_known_key_asks_nobody(header: str | None) -> None:
    room = Room(KEY)
    known = await verifier_of(room.jwks)
    assert await known.late_principal(header, NOW) is None
    assert room.asked == 1


async def test_token_of_a_key_that_is_gone_is_let_in_no_more() -> None:
    room, fresh = Room(KEY), make_key(AsyncioRuntime())
    known = await verifier_of(room.jwks)
    old = signed(GOOD)
    assert known.principal(old, NOW) is not None
    room.keys = [fresh]
    assert await known.late_principal("Bearer " + Issuer(fresh).issue(ANN, NOW), NOW) is not None
    assert known.principal(old, NOW) is None


async def test_key_that_came_meanwhile_opens_the_api(edges: Edges) -> None:
    fresh = make_key(edges.home.runtime)
    async with edges.services["users"].transaction() as tx:
        await add_signing_key(tx, fresh)
    token = Issuer(fresh).issue(ANN, edges.home.runtime.now())
    answer = await edges.client.get("/api/orders", headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()) == (200, [])
    placed = await edges.client.post(
        "/api/orders",
        json={"items": [{"sku": "apple", "quantity": 1}], "slot": SLOT},
        headers={"authorization": f"Bearer {token}", "idempotency-key": "k"},
    )
    assert placed.status_code == 202


async def test_published_keys_check_tokens_and_hold_no_secret(edges: Edges) -> None:
    await edges.join()
    token = edges.client.headers["authorization"].removeprefix("Bearer ")
    published = (await edges.client.get("/.well-known/jwks.json")).json()
    assert [sorted(key) for key in published["keys"]] == [["alg", "crv", "kid", "kty", "use", "x"]]
    key = jwt.PyJWKSet.from_dict(published)[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, algorithms=["EdDSA"], audience=AUDIENCE)["email"] == "ann@example.com"


@pytest.mark.parametrize("path", ["/api/wallet", "/api/wallet/entries"])
async def test_without_a_token_nothing_is_shown(edges: Edges, path: str) -> None:
    answer = await edges.client.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "/problems/not-signed-in"
