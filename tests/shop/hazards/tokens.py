"""Scenarios of access tokens: each asks gate (`GET`) and counter (`POST /api/orders`) with one that is wrong."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shop.users.tokens import LIFETIME_S
from tests.shop.hazards.scene import Member, Mint, Scene, open_shop
from tests.shop.hazards.scene import text_of as base64url


async def enters(scene: Scene, member: Member, token: str) -> list[bool]:
    """Whether the gate and the counter let the token in."""
    bearer = Member(member.id, member.email, token, scene.client)
    answers = [await bearer.get("/api/wallet"), await bearer.order(token[-8:])]
    for answer in answers:
        assert answer.status_code in (200, 202, 401), f"neither in nor out: {answer.status_code} {answer.text}"
    return [answer.status_code != 401 for answer in answers]


async def token_of_another_issuer_is_refused(folder: Path) -> None:
    await _refused(folder, "another issuer's token is let in", iss="another-shop")


async def token_for_another_audience_is_refused(folder: Path) -> None:
    await _refused(folder, "a token for another API is let in", aud="another-api")


async def token_ends(folder: Path) -> None:
    """One that comes too late, and one that the shop has seen when it was good."""
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        unseen = await Mint(scene, ann).sign()
        assert await enters(scene, ann, ann.token) == [True, True], "a good token is refused"
        scene.clock.ahead_s += LIFETIME_S + 1
        assert await enters(scene, ann, ann.token) == [False, False], "a known token never ends"
        assert await enters(scene, ann, unseen) == [False, False], "an expired token is let in"


async def token_is_not_good_before_its_time(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        early = await Mint(scene, ann).sign(nbf=int(scene.clock.now()) + 60)
        assert await enters(scene, ann, early) == [False, False], "a token is let in before its time"
        scene.clock.ahead_s += 61
        assert await enters(scene, ann, early) == [True, True], "a good token is refused"


async def unsigned_token_is_refused(folder: Path) -> None:
    await _refused(folder, "a token without a signature is let in", algorithm="none")


async def algorithm_is_the_keys_not_the_tokens(folder: Path) -> None:
    """HS256 with what everybody can read, the public key, as its secret."""
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        mint = Mint(scene, ann)
        forged = await mint.sign(key=await mint.public_key(), algorithm="HS256")
        assert await enters(scene, ann, forged) == [False, False], "the token chooses its algorithm"


async def token_signed_by_another_is_refused(folder: Path) -> None:
    await _refused(folder, "a signature isn't checked", key=Ed25519PrivateKey.generate())


async def key_names_come_from_a_fixed_set(folder: Path) -> None:
    """A thief's own key, brought along as its name; and a name that nobody knows."""
    thief = Ed25519PrivateKey.generate()
    named = base64url(thief.public_key().public_bytes_raw())
    await _refused(folder / "1", "a token brings its own key", key=thief, kid=named)
    await _refused(folder / "2", "a key's name doesn't matter", kid="another")


async def _refused(folder: Path, otherwise: str, **wrong: Any) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        mint = Mint(scene, ann)
        assert await enters(scene, ann, await mint.sign()) == [True, True], "a good token is refused"
        assert await enters(scene, ann, await mint.sign(**wrong)) == [False, False], otherwise


SCENARIOS = [
    token_of_another_issuer_is_refused,
    token_for_another_audience_is_refused,
    token_ends,
    token_is_not_good_before_its_time,
    unsigned_token_is_refused,
    algorithm_is_the_keys_not_the_tokens,
    token_signed_by_another_is_refused,
    key_names_come_from_a_fixed_set,
]
