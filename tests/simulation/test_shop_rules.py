"""The simulated shop notices when a rule is missing: it would notice a bug of that kind."""

from collections.abc import Iterator

import pytest

from tests.simulation.shop_homes import EMBEDDED
from tests.simulation.shop_intruder import front
from tests.simulation.shop_load import load_of
from tests.simulation.shop_rules import RULES, TakenOut
from tests.simulation.shop_sown import sown, verifier
from tests.simulation.shop_world import play

_MOST = 30


@pytest.fixture
def _apart() -> Iterator[None]:
    """What is kept between worlds is not kept between shops."""
    sown()
    yield
    front.cache_clear()
    verifier.cache_clear()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_missing_rule_is_noticed(rule: TakenOut, monkeypatch: pytest.MonkeyPatch, _apart: None) -> None:  # noqa: PT019
    rule(monkeypatch)

    assert any(_notices(seed) for seed in range(_MOST)), rule.__name__


def _notices(seed: int) -> bool:
    load = load_of(seed, 12)._replace(intruding=True, spying=True)
    return bool(play(seed, load=load, shape=EMBEDDED).violations)
