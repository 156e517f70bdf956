"""What holds in every dialect; and each rule taken out, one at a time: its scenario has to notice."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from amends import machine
from amends.draft import Draft
from amends.state import Phase
from amends.steps import Kind
from tests.amends.hazards import ablations as without
from tests.amends.hazards import ablations_of_votes as votes_without
from tests.shop.storefronts import forward, hazards, replaced

Patch = pytest.MonkeyPatch
Scenario = Callable[[Path], Awaitable[None]]


class Ablation(NamedTuple):
    """A rule's absence, the scenario that has to notice it, and what it says then."""

    scenario: Scenario
    take_out: Callable[[Patch], None]
    says: str


def deadline_ends_the_pivot(patch: Patch) -> None:
    expire_step = machine._expire_step

    def expire(draft: Draft, at: int, held: bool | None) -> None:
        if draft.definition(at).kind is Kind.PIVOT and not draft.backward and draft.now >= draft.deadline:
            draft.put(at, Phase.FAILED)
            draft.turn_back("deadline")
        else:
            expire_step(draft, at, held)

    patch.setattr(machine, "_expire_step", expire)


SCENARIOS = [*hazards.SCENARIOS, *forward.SCENARIOS, *replaced.SCENARIOS]
AGAIN, LATE = hazards.AGAIN_IS_DONE, hazards.LATE_IS_DONE
ABLATIONS = [
    Ablation(hazards.queue_saga_again, without.no_barrier, AGAIN),
    Ablation(hazards.parallel_saga_again, without.no_barrier, AGAIN),
    Ablation(hazards.pivot_saga_again, without.no_barrier, AGAIN),
    Ablation(hazards.idempotent_orders_again, without.no_barrier, AGAIN),
    Ablation(hazards.two_phase_again, without.no_barrier, AGAIN),
    Ablation(hazards.queue_saga_late, without.no_tombstones, LATE),
    Ablation(hazards.parallel_saga_late, without.no_tombstones, LATE),
    Ablation(hazards.pivot_saga_late, without.no_tombstones, LATE),
    Ablation(hazards.idempotent_orders_late, without.no_tombstones, LATE),
    Ablation(hazards.two_phase_late, without.no_tombstones, LATE),
    Ablation(hazards.replaced_shop_takes_no_order, without.coordinator_ignores_epochs, "has taken an order"),
    *[Ablation(each, without.coordinator_ignores_epochs, "has taken an order") for each in replaced.SCENARIOS],
    Ablation(
        hazards.commands_of_a_replaced_shop_are_not_carried_out,
        without.participants_ignore_epochs,
        "zombie's command was carried out",
    ),
    Ablation(hazards.slow_pivot_is_waited_for, deadline_ends_the_pivot, "undone after its pivot"),
    Ablation(forward.queue_saga_goes_forward, deadline_ends_the_pivot, forward.UNDONE),
    Ablation(forward.parallel_saga_goes_forward, deadline_ends_the_pivot, forward.UNDONE),
    Ablation(
        hazards.logged_decision_is_carried_out, votes_without.decision_is_kept_in_memory, "carried out is forgotten"
    ),
    Ablation(
        hazards.logged_confirmation_is_carried_out, votes_without.decision_is_kept_in_memory, "carried out is forgotten"
    ),
    Ablation(
        hazards.nothing_is_committed_before_all_have_voted,
        votes_without.first_vote_decides,
        "committed before all had voted",
    ),
]


@pytest.mark.parametrize("scenario", hazards.TWICE + SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_hazard_is_met(scenario: Scenario, tmp_path: Path) -> None:
    await scenario(tmp_path)


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: f"{each.take_out.__name__}-{each.scenario.__name__}")
async def test_scenario_notices_that_its_rule_is_gone(ablation: Ablation, tmp_path: Path, monkeypatch: Patch) -> None:
    ablation.take_out(monkeypatch)
    with pytest.raises(AssertionError, match=ablation.says):
        await ablation.scenario(tmp_path)


def test_every_scenario_has_an_ablation() -> None:
    assert {each.scenario for each in ABLATIONS} == set(SCENARIOS)
