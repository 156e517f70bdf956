"""The simulator finds each rule that is missing, and finds nothing while all are there."""

import pytest
from _pytest.mark import ParameterSet

from tests.simulation.ablations import ABLATIONS, MOST, REDUNDANT, SCENARIOS, Ablation, find, judged


def _named(ablation: Ablation) -> str:
    return f"{ablation.take_out.__name__}-{ablation.scenario.saga.name}"


def _marked(ablation: Ablation) -> ParameterSet:
    return pytest.param(ablation, id=_named(ablation), marks=[pytest.mark.long] if ablation.long else [])


@pytest.mark.parametrize("ablation", [_marked(each) for each in ABLATIONS])
def test_missing_rule_is_found(ablation: Ablation) -> None:
    found = find(ablation)
    assert found is not None, f"{ablation.most} seeds of {ablation.scenario.saga.name}, and nothing went wrong"


@pytest.mark.long
@pytest.mark.parametrize("ablation", REDUNDANT, ids=_named)
def test_rule_behind_which_others_stand_is_not_missed(ablation: Ablation) -> None:
    assert find(ablation, MOST) is None


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_goes_wrong_while_all_rules_stand(name: str) -> None:
    _nothing_goes_wrong(name, 6)


@pytest.mark.long
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_goes_wrong_in_many_seeds(name: str) -> None:
    _nothing_goes_wrong(name, MOST)


def _nothing_goes_wrong(name: str, seeds: int) -> None:
    assert not {seed: oracles for seed in range(seeds) if (oracles := judged(SCENARIOS[name], seed))}
