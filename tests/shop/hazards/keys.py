"""Scenarios of idempotency keys, asked through the shop's own edges."""

import asyncio
import json
from pathlib import Path

import httpx

from amends.idempotency import LEASE_S, IdempotencyKeys, fingerprint
from amends.pages import KeyScope
from tests.shop.hazards.scene import ORDER, Member, Scene, open_shop

DEPOSITS = "/api/wallet/deposits"
UNKNOWN = ORDER | {"items": [{"sku": "unicorn", "quantity": 1}]}


async def racing_orders_with_one_key_are_one_order(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        answers = await asyncio.gather(*(ann.order() for _ in range(10)))
        answers.append(await ann.order())
        assert_all_alike(answers, 202)
        assert len(await ann.orders()) == 1, "one key, several orders"


async def racing_deposits_with_one_key_pay_once(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        answers = await asyncio.gather(*(ann.post(DEPOSITS, {"amount_minor": 500}) for _ in range(10)))
        assert_all_alike(answers, 201)
        assert await ann.balance_minor() == 500, "one key, several deposits"


async def racing_cancellations_with_one_key_cancel_once(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        await ann.post(DEPOSITS, {"amount_minor": 500})
        placed = (await ann.order(prefer="wait=5")).json()
        cancel = f"/api/orders/{placed['id']}/cancel"
        assert_all_alike(await asyncio.gather(*(ann.post(cancel) for _ in range(5))), 202)


def assert_all_alike(answers: list[httpx.Response], status: int) -> None:
    """The loser of a race gets what the winner got."""
    seen = sorted({answer.status_code for answer in answers})
    assert seen == [status], f"a loser of the race wasn't given the winner's answer: {seen}"
    assert len({answer.json()["id"] for answer in answers}) == 1, "one key, several answers"
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1, "one key, several effects"


async def crash_of_the_first_request_frees_its_key(folder: Path) -> None:
    """Key, effect and answer are one transaction: what dies in the middle leaves nothing behind."""
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        scene.break_table("billing", "transfers")
        scene.break_table("orders", "orders")
        dead = [await ann.post(DEPOSITS, {"amount_minor": 500}), await ann.order()]
        assert [answer.status_code for answer in dead] == [500, 500], "nothing has crashed"
        scene.mend_table("billing")
        scene.mend_table("orders")
        again = [await ann.post(DEPOSITS, {"amount_minor": 500}), await ann.order()]
        seen = [answer.status_code for answer in again]
        assert seen == [201, 202], f"a crashed request keeps its key: {seen}"


async def lease_of_a_crashed_request_ends(folder: Path) -> None:
    """Somebody has claimed the keys and is gone: 409 until the lease is over, and then never again."""
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        await claim_all(scene, ann)
        running = await ask_all(ann)
        assert {answer.status_code for answer in running} == {409}, "the first request still runs"
        assert all(0 < int(answer.headers["retry-after"]) <= LEASE_S for answer in running), "come back when?"
        scene.clock.ahead_s += LEASE_S
        for _ in range(2):
            statuses = [answer.status_code for answer in await ask_all(ann)]
            assert statuses == [202, 422, 201], f"409 for ever: {statuses}"
        assert (len(await ann.orders()), await ann.balance_minor()) == (1, 500), "done twice"


async def claim_all(scene: Scene, member: Member) -> None:
    order, deposit = ("POST", "/api/orders"), ("POST", DEPOSITS)
    paid = fingerprint(json.dumps([member.id, 500], separators=(",", ":")).encode())
    for room, scope, wanted in (
        ("orders", KeyScope(member.id, *order, "good"), fingerprint(json.dumps(ORDER).encode())),
        ("orders", KeyScope(member.id, *order, "bad"), fingerprint(json.dumps(UNKNOWN).encode())),
        ("billing", KeyScope(member.id, *deposit, "money"), paid),
    ):
        storage = scene.storage(room)
        async with storage.transaction(scene.clock.now()) as tx:
            await IdempotencyKeys(storage).claim(tx, scope, wanted)


async def ask_all(member: Member) -> list[httpx.Response]:
    return [
        await member.order("good"),
        await member.order("bad", UNKNOWN),
        await member.post(DEPOSITS, {"amount_minor": 500}, "money"),
    ]


async def refused_order_stays_refused(folder: Path) -> None:
    """The product comes into the catalogue later: the key's answer is the one that was given."""
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        first = await ann.order("k", UNKNOWN)
        unicorn = {"title": "Unicorn", "price_minor": 1, "on_hand": 1}
        assert (await scene.operate("PUT", "/ops/products/unicorn", unicorn)).status_code == 201, "no product was made"
        again = await ann.order("k", UNKNOWN)
        answers = [(answer.status_code, answer.json().get("type")) for answer in (first, again)]
        assert answers == [(422, "/problems/unknown-product")] * 2, f"a refusal was forgotten: {answers}"
        assert first.json() == again.json(), "a refusal was given in other words"
        assert (await ann.order("another", UNKNOWN)).status_code == 202, "the product isn't there"


async def refused_deposit_stays_refused(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        wallet = f"/ops/wallets/{ann.id}/deposits"
        await scene.write("billing", "update accounts set id = 'elsewhere' where id = ?", (ann.id,))
        first = await scene.operate("POST", wallet, {"amount_minor": 5})
        await scene.write("billing", "update accounts set id = ? where id = 'elsewhere'", (ann.id,))
        again = await scene.operate("POST", wallet, {"amount_minor": 5})
        statuses = [first.status_code, again.status_code]
        assert statuses == [404, 404], f"a refusal was forgotten: {statuses}"
        assert (await scene.operate("POST", wallet, {"amount_minor": 5}, key="k2")).status_code == 201, "no wallet"


async def key_never_shows_anothers_answer(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann, bob = await scene.join("ann"), await scene.join("bob")
        orders = [(await each.order()).json()["id"] for each in (ann, bob)]
        assert orders[0] != orders[1], "another's order was shown"
        money = [(await each.post(DEPOSITS, {"amount_minor": 500})).json()["id"] for each in (ann, bob)]
        assert money[0] != money[1], "another's deposit was shown"
        assert [len(await each.orders()) for each in (ann, bob)] == [1, 1], "an order is missing"
        assert [await each.balance_minor() for each in (ann, bob)] == [500, 500], "a deposit is missing"


async def key_for_another_body_is_refused(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        await ann.order()
        await ann.post(DEPOSITS, {"amount_minor": 500})
        other = [await ann.order(body=UNKNOWN), await ann.post(DEPOSITS, {"amount_minor": 501})]
        problems = [answer.json().get("type") for answer in other]
        assert problems == ["/problems/key-reused"] * 2, f"another request got the key's answer: {problems}"


SCENARIOS = [
    racing_orders_with_one_key_are_one_order,
    racing_deposits_with_one_key_pay_once,
    racing_cancellations_with_one_key_cancel_once,
    crash_of_the_first_request_frees_its_key,
    lease_of_a_crashed_request_ends,
    refused_order_stays_refused,
    refused_deposit_stays_refused,
    key_never_shows_anothers_answer,
    key_for_another_body_is_refused,
]
