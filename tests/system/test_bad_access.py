"""Tokens that are none, things of others, keys that are used again: refused on every edge, and nothing has changed."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import apsw
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.system.people import order_of
from tests.system.scene import SLOT, Scene
from tests.system.wire import Answer, ask_once

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("nothing_changes")]

ORDER = order_of("lamp", SLOT)
MEMBERS = [
    ("GET", "/api/wallet", None),
    ("GET", "/api/wallet/entries", None),
    ("POST", "/api/wallet/deposits", {"amount_minor": 5}),
    ("POST", "/api/orders", ORDER),
    ("GET", "/api/orders", None),
    ("GET", "/api/orders/ORDER", None),
    ("GET", "/api/orders/ORDER/events", None),
    ("POST", "/api/orders/ORDER/cancel", None),
]
OPERATORS = [
    ("PUT", "/ops/products/lamp", {"title": "Lamp", "price_minor": 1, "on_hand": 1}),
    ("PUT", f"/ops/slots/{SLOT}", {"couriers": 5}),
    ("POST", "/ops/wallets/ANN/deposits", {"amount_minor": 5}),
    ("GET", "/ops/sagas", None),
    ("GET", "/ops/sagas/ORDER", None),
    ("POST", "/ops/sagas/ORDER/retry", {"reason": "because", "actor": "me"}),
    ("POST", "/ops/sagas/ORDER/skip", {"reason": "because", "actor": "me"}),
    ("POST", "/ops/sagas/ORDER/resolve", {"reason": "because", "actor": "me"}),
    ("GET", "/ops/check", None),
    ("GET", "/ops/openapi.json", None),
    ("GET", "/ops/docs", None),
]


async def ask(scene: Scene, edge: str, token: str, request: tuple[str, str, Any], key: str = "bad") -> Answer:
    method, path, body = request
    path = path.replace("ANN", scene.ann.id).replace("ORDER", scene.ann_order)
    return await ask_once(scene.shop.addresses[edge], method, path, body, token=token, key=key)


class Mint:
    """Makes tokens; knows the shop's own key, as a thief of one might wish to."""

    def __init__(self, scene: Scene) -> None:
        database = apsw.Connection(str(scene.shop.folder / "users.db"), flags=apsw.SQLITE_OPEN_READONLY)
        self.kid, private = next(database.execute("select kid, private from signing_keys"))
        database.close()
        raw = base64.urlsafe_b64decode(private + "==")
        self.key = Ed25519PrivateKey.from_private_bytes(raw)
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + 900}
        self.claims = {
            "iss": "amends-shop",
            "aud": "amends-shop-api",
            "sub": scene.ann.id,
            "email": scene.ann.email,
        } | times

    def sign(self, key: Any = None, algorithm: str = "EdDSA", kid: str | None = None, **changes: Any) -> str:
        """The claims with these changes; None leaves one out."""
        claims = {name: value for name, value in (self.claims | changes).items() if value is not None}
        headers = {"kid": self.kid if kid is None else kid}
        return jwt.encode(claims, self.key if key is None else key, algorithm, headers=headers)

    def unsigned(self) -> str:
        _, body, _ = self.sign().split(".")
        none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT", "kid": self.kid}).encode())
        return f"{none.rstrip(b'=').decode()}.{body}."

    def tampered(self) -> str:
        """Somebody else's name under ann's signature."""
        head, _, signature = self.sign().split(".")
        body = base64.urlsafe_b64encode(json.dumps(self.claims | {"sub": "somebody"}).encode())
        return f"{head}.{body.rstrip(b'=').decode()}.{signature}"

    def symmetric(self) -> str:
        """Signed with what everybody can read, the public key."""
        return self.sign(self.key.public_key().public_bytes_raw() * 2, "HS256")


FORGERIES: dict[str, Callable[[Mint], str]] = {
    "none at all": lambda mint: "",
    "nonsense": lambda mint: "nonsense",
    "dots": lambda mint: "..",
    "too long": lambda mint: "x" * 10_000,
    "another key": lambda mint: mint.sign(Ed25519PrivateKey.generate()),
    "another key's name": lambda mint: mint.sign(kid="another"),
    "path for a name": lambda mint: mint.sign(kid="../../etc/passwd"),
    "no algorithm": Mint.unsigned,
    "symmetric": Mint.symmetric,
    "tampered": Mint.tampered,
    "cut off": lambda mint: mint.sign()[:-8],
    "expired": lambda mint: mint.sign(exp=int(time.time()) - 1),
    "not yet": lambda mint: mint.sign(nbf=int(time.time()) + 600),
    "for others": lambda mint: mint.sign(aud="another-api"),
    "by others": lambda mint: mint.sign(iss="another-shop"),
    "without end": lambda mint: mint.sign(exp=None),
    "endless": lambda mint: mint.sign(exp="never"),
    "of nobody": lambda mint: mint.sign(sub=None),
    "of a number": lambda mint: mint.sign(sub=5),
}


async def test_tokens_are_made_as_the_shop_makes_them(scene: Scene) -> None:
    """Else the forgeries would prove nothing."""
    for request in MEMBERS[:2]:
        assert (await ask(scene, "api", Mint(scene).sign(), request)).status == 200


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_forged_token_opens_nothing(scene: Scene, forge: Callable[[Mint], str]) -> None:
    token = forge(Mint(scene))
    for request in MEMBERS:
        answer = await ask(scene, "api", token, request)
        assert (answer.status, answer.problem) == (401, "not-signed-in"), request
        assert "www-authenticate" in answer.headers


async def test_operators_edge_opens_for_nobody_else(scene: Scene) -> None:
    operators = scene.shop.token
    for token in ("", "nonsense", scene.ann.token, operators[:-1], f"{operators}x", operators.swapcase()):
        for request in OPERATORS:
            answer = await ask(scene, "ops", token, request)
            assert (answer.status, answer.problem) == (401, "not-signed-in"), request


async def test_operators_token_opens_no_wallet(scene: Scene) -> None:
    for request in MEMBERS:
        assert (await ask(scene, "api", scene.shop.token, request)).status == 401


async def test_tokens_file_is_its_owners_alone(scene: Scene) -> None:
    assert (scene.shop.folder / "operator.token").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("request_", MEMBERS[-3:], ids=lambda request: request[1])
async def test_order_of_another_is_as_good_as_none(scene: Scene, request_: tuple[str, str, Any]) -> None:
    theirs = await ask(scene, "api", scene.bob.token, request_)
    method, path, _ = request_
    none = await ask(scene, "api", scene.bob.token, (method, path.replace("ORDER", "no-such-order"), None))
    assert [(each.status, each.problem) for each in (theirs, none)] == [(404, "no-such-order")] * 2
    assert "lamp" not in theirs.body.decode()


async def test_orders_of_another_are_not_listed(scene: Scene) -> None:
    listed = (await ask(scene, "api", scene.bob.token, ("GET", "/api/orders", None))).json()
    assert [each["id"] for each in listed] == [scene.bob_order]
    after = await ask(scene, "api", scene.bob.token, ("GET", f"/api/orders?after={scene.ann_order}", None))
    assert scene.ann_order not in [each["id"] for each in after.json()]


async def test_key_for_another_body_is_refused(scene: Scene) -> None:
    """`first` is the key of the order and of the first deposit that have been made."""
    order = await ask(scene, "api", scene.ann.token, ("POST", "/api/orders", order_of("lamp", SLOT, 2)), "first")
    deposit = ("POST", "/api/wallet/deposits", {"amount_minor": 1})
    money = await ask(scene, "api", scene.ann.token, deposit, "first money")
    assert [(each.status, each.problem) for each in (order, money)] == [(422, "key-reused")] * 2


async def test_key_for_the_same_body_gives_the_first_answer_again(scene: Scene) -> None:
    again = await ask(scene, "api", scene.ann.token, ("POST", "/api/orders", ORDER), "first")
    assert (again.status, again.json()["id"]) == (202, scene.ann_order)
    assert again.headers["idempotent-replayed"] == "true"


async def test_key_of_another_shows_nothing_of_theirs(scene: Scene) -> None:
    """Both have used the key `first` for the same order; each sees one's own."""
    orders = [
        await ask(scene, "api", each.token, ("POST", "/api/orders", ORDER), "first") for each in (scene.ann, scene.bob)
    ]
    assert [each.json()["id"] for each in orders] == [scene.ann_order, scene.bob_order]


KEYED = [
    ("api", ("POST", "/api/orders", ORDER)),
    ("api", ("POST", "/api/wallet/deposits", {"amount_minor": 5})),
    ("api", ("POST", "/api/orders/ORDER/cancel", None)),
    ("ops", ("POST", "/ops/wallets/ANN/deposits", {"amount_minor": 5})),
]


@pytest.mark.parametrize(("edge", "request_"), KEYED, ids=[path for _, (_, path, _) in KEYED])
@pytest.mark.parametrize("key", ["", "k" * 256, "k" * 60_000], ids=["missing", "too long", "far too long"])
async def test_missing_or_long_key_is_refused(
    scene: Scene, edge: str, request_: tuple[str, str, Any], key: str
) -> None:
    token = scene.shop.token if edge == "ops" else scene.ann.token
    answer = await ask(scene, edge, token, request_, key)
    if len(key) < 60_000:
        assert (answer.status, bool(answer.problem)) == (400, True)
    else:
        assert answer.status in (400, 431)


async def test_unknown_ways_are_refused(scene: Scene) -> None:
    storefronts = ("queue-saga", "parallel-saga", "idempotent-orders", "pivot-saga", "pivot-saga/warehouse")
    for edge, token in (("api", scene.ann.token), ("ops", scene.shop.token), *((each, "") for each in storefronts)):
        for method, path, statuses in (
            ("GET", "/nowhere", {404}),
            ("DELETE", "/healthz", {405}),
            ("POST", "/readyz", {405}),
            ("GET", "/api/../../etc/passwd", {404}),
            ("GET", "/%00", {404}),
            ("BREW", "/healthz", {400, 405}),
        ):
            assert (await ask(scene, edge, token, (method, path, None))).status in statuses, (edge, method, path)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1.5", f"after={'x' * 300}"])
async def test_wrong_page_is_refused(scene: Scene, query: str) -> None:
    for path in ("/api/orders", "/api/wallet/entries", "/api/products", "/api/slots"):
        day = "&day=2034-08-01" if path == "/api/slots" else ""
        answer = await ask(scene, "api", scene.ann.token, ("GET", f"{path}?{query}{day}", None))
        assert (answer.status, answer.problem) == (400, "bad-request"), path
