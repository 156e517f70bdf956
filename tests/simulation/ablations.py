"""Each rule taken out: where the simulator finds the hole, and within how many seeds.

python -m tests.simulation.ablations        # prints the table of docs/reliability.md
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from time import process_time
from typing import NamedTuple

import pytest

from amends.testing.chances import HIGHEST
from amends.testing.scenarios import Scenario, play
from tests.amends.hazards import ablations as hazards
from tests.amends.hazards import ablations_of_votes as votes_without
from tests.simulation import without
from tests.simulation.bells import BELLS, IN_ORDER, waited_for
from tests.simulation.deployments import DEPLOYED
from tests.simulation.errands import ERRANDS
from tests.simulation.in_doubt import IN_DOUBT
from tests.simulation.strays import STRAYS
from tests.simulation.trips import HURRIED, STUCK, TRIPS
from tests.simulation.votes import HURRIED_VOTES, RESERVATIONS, VOTES

MOST = 300


class Ablation(NamedTuple):
    """A rule, the patch that takes it out, and the scenario in which that is found within `most` seeds.

    `long`: that takes more than a few seconds.
    """

    rule: str
    take_out: Callable[[pytest.MonkeyPatch], None]
    scenario: Scenario
    most: int = 40
    long: bool = False


class Found(NamedTuple):
    """The first seed that fails, counted from 1, and the oracles that say so; `seconds` of one core."""

    seeds: int
    oracles: list[str]
    seconds: float


def scenario_of(scenario: Scenario, faults: Mapping[str, float], sagas: int = 6) -> Scenario:
    """The same with other faults."""
    return replace(scenario, faults=faults, sagas=sagas)


LOSSY = {**HIGHEST, "message lost": 0.6, "message late": 0.6, "receipt lost": 0.3, "participant refuses": 0.4}
COPIES = {**HIGHEST, "message copied": 1.0, "message late": 0.6, "message lost": 0.3, "crash": 2.0}
SILENT = {"answer lost": 0.6, "message late": 0.6, "message lost": 0.2, "message overtakes": 0.5}
FAILING = {"participant fails": 0.3, "commit refused": 0.2, "commit lost before": 0.2, "crash": 2.0}
UNHEARD = {"commit lost after": 0.5, "commit lost before": 0.2, "message copied": 0.5, "message late": 0.5}
UNTAKEN = {"crash": 4.0, "commit refused": 0.8, "database away": 0.5}
CRASHES = {"crash": 4.0, "commit lost after": 0.4, "commit refused": 0.2, "message late": 0.3, "cut off": 1.0}
SLOW = {"participant slow": 0.8, "participant fails": 0.6, "commit lost after": 0.5}
IMPATIENT = {"crash": 0.3, "stall": 0.3, "stop": 0.3, "commit slow": 0.3, "commit refused": 0.2, "database away": 0.1}
ZOMBIES = {"freeze": 6.0, "loss told late": 3.0, "answer lost": 0.6, "message late": 0.6, "message lost": 0.3}

LOSSY_TRIPS = scenario_of(TRIPS, LOSSY)
HURRIED_TRIPS = scenario_of(HURRIED, LOSSY)
SILENT_TRIPS = scenario_of(TRIPS, SILENT)
COPIED_TRIPS = scenario_of(TRIPS, COPIES)
FAILING_TRIPS = scenario_of(TRIPS, FAILING)
UNHEARD_TRIPS = scenario_of(TRIPS, UNHEARD)
ZOMBIE_VOTES = scenario_of(HURRIED_VOTES, ZOMBIES, sagas=20)
LOSSY_VOTES = scenario_of(VOTES, LOSSY)
LOSSY_RESERVATIONS = scenario_of(RESERVATIONS, LOSSY)
CRASHING_VOTES = scenario_of(VOTES, CRASHES)
CRASHING_RESERVATIONS = scenario_of(RESERVATIONS, CRASHES)
CRASHING_BELLS = scenario_of(BELLS, CRASHES, sagas=12)
LOSSY_BELLS = scenario_of(BELLS, LOSSY, sagas=12)
UNTAKEN_BELLS = scenario_of(BELLS, UNTAKEN, sagas=12)
COPIED_BELLS = scenario_of(BELLS, COPIES, sagas=12)
FAILING_BELLS = scenario_of(BELLS, FAILING, sagas=12)
UNHEARD_IN_ORDER = scenario_of(IN_ORDER, {"commit lost after": 0.5, "crash": 0.5}, sagas=12)
STALLING_VOTES = scenario_of(HURRIED_VOTES, {**ZOMBIES, "stall": 6.0}, sagas=10)
VOTES_IN_DOUBT = scenario_of(IN_DOUBT, {**LOSSY, **CRASHES}, sagas=8)
SILENT_STUCK_TRIPS = scenario_of(STUCK, {**SILENT, "message late": 0.9}, sagas=6)
IMPATIENT_BELLS = replace(BELLS, hurried=True, steady=True, faults=IMPATIENT)
DEADLOCKED_BELLS = replace(BELLS, hurried=True, steady=True, faults={"deadlock": 0.7, "crash": 0.3}, sagas=8)
SLOW_BELLS = replace(BELLS, operator=waited_for, steady=True, faults=SLOW)
MANY_BELLS = replace(BELLS, sagas=300, steady=True, faults={"answer lost": 1.0, "freeze": 1.0})
LOSSY_ERRANDS = scenario_of(ERRANDS, {**LOSSY, "answer failed": 0.4}, sagas=8)
SCENARIOS = {
    "trips": TRIPS,
    "trips, lossy": LOSSY_TRIPS,
    "trips, hurried": HURRIED_TRIPS,
    "trips, silent": SILENT_TRIPS,
    "trips, copied": COPIED_TRIPS,
    "trips, failing": FAILING_TRIPS,
    "trips, unheard": UNHEARD_TRIPS,
    "votes, zombies": ZOMBIE_VOTES,
    "votes": VOTES,
    "votes, lossy": LOSSY_VOTES,
    "votes, crashing": CRASHING_VOTES,
    "reservations": RESERVATIONS,
    "reservations, lossy": LOSSY_RESERVATIONS,
    "reservations, crashing": CRASHING_RESERVATIONS,
    "bells": BELLS,
    "bells, crashing": CRASHING_BELLS,
    "bells, lossy": LOSSY_BELLS,
    "bells, untaken": UNTAKEN_BELLS,
    "bells, copied": COPIED_BELLS,
    "bells, failing": FAILING_BELLS,
    "bells, in order": IN_ORDER,
    "bells, in order, unheard": UNHEARD_IN_ORDER,
    "errands": ERRANDS,
    "errands, lossy": LOSSY_ERRANDS,
    "errands, deployed": DEPLOYED,
    "trips, stuck": STUCK,
    "trips, stuck, silent": SILENT_STUCK_TRIPS,
    "trips, strays": STRAYS,
    "votes, stalling": STALLING_VOTES,
    "votes, in doubt": VOTES_IN_DOUBT,
    "bells, impatient": IMPATIENT_BELLS,
    "bells, deadlocked": DEADLOCKED_BELLS,
    "bells, slow": SLOW_BELLS,
    "bells, many": MANY_BELLS,
}

ABLATIONS = [
    Ablation("an action does not run after its compensation", hazards.no_tombstones, HURRIED_TRIPS),
    Ablation("a compensation without an action has nothing to undo", hazards.empty_compensation_runs, HURRIED_TRIPS),
    Ablation("a tombstone is never used up", hazards.tombstone_is_used_up, HURRIED_TRIPS),
    Ablation("what was refused is not undone", without.refused_actions_are_undone, HURRIED_TRIPS),
    Ablation("a duplicate gets the stored reply", hazards.no_barrier, COPIED_TRIPS),
    Ablation("a duplicate gets a reply at all", without.duplicates_get_no_answer, SILENT_TRIPS),
    Ablation(
        "copies in one batch are judged one after the other",
        without.copies_in_a_batch_are_judged_together,
        COPIED_TRIPS,
    ),
    Ablation("what is pending is not begun again", without.pending_operations_run_again, COPIED_TRIPS),
    Ablation("what began with its saga is undone with it", without.what_began_with_the_saga_is_buried, TRIPS),
    Ablation(
        "the effect is in the transaction of its record", without.effects_outlive_their_transaction, FAILING_TRIPS
    ),
    Ablation("the record is in the transaction of its effect", without.barrier_is_in_memory, FAILING_TRIPS),
    Ablation("an event is heard once", without.events_are_heard_again, COPIED_BELLS),
    Ablation("commands leave after the commit", without.commands_leave_before_the_commit, FAILING_TRIPS),
    Ablation("what is to be told is durable before it is told", without.outbox_is_in_memory, CRASHING_BELLS),
    Ablation(
        "a message is kept until the transport has taken it", without.rows_go_when_they_are_handed_over, LOSSY_BELLS
    ),
    Ablation("what a crash left is sent", without.nothing_is_swept, CRASHING_BELLS),
    Ablation("a batch is acknowledged after its commit", without.batches_are_acknowledged_first, UNTAKEN_BELLS),
    Ablation("a message that fails is kept", without.failed_messages_are_dropped, FAILING_BELLS),
    Ablation("a message that fails is not overtaken by its key", without.failed_messages_are_overtaken, IN_ORDER),
    Ablation("a commit that nobody heard of is not overtaken", without.unheard_commits_are_overtaken, UNHEARD_IN_ORDER),
    Ablation(
        "what may have been set aside is looked for", without.unheard_deferrals_are_forgotten, TRIPS, MOST, long=True
    ),
    Ablation("intent is durable before the command leaves", hazards.intent_is_kept_in_memory, CRASHING_VOTES),
    Ablation("silence is asked again", without.timers_never_fire, SILENT_TRIPS),
    Ablation("every step that was sent is undone", hazards.only_answered_steps_are_undone, HURRIED_TRIPS),
    Ablation("silence is not a refusal", without.silence_counts_as_refusal, HURRIED_TRIPS),
    Ablation("a late success is undone", hazards.late_success_is_not_undone, LOSSY_TRIPS),
    Ablation("backward is a one-way decision", hazards.direction_is_not_one_way, LOSSY_TRIPS),
    Ablation("a pivot that is silent is asked again", without.silent_pivot_turns_back, HURRIED_TRIPS),
    Ablation("after the pivot only forward", without.deadline_counts_after_the_pivot, HURRIED_TRIPS),
    Ablation("a group that is refused settles before it is undone", hazards.in_flight_is_not_settled, LOSSY_TRIPS),
    Ablation("groups are undone last first", without.groups_are_undone_together, LOSSY_TRIPS),
    Ablation("a group begins when all of the one before are done", without.next_group_does_not_wait, TRIPS),
    Ablation("two-phase commit: the decision is logged", votes_without.decision_is_kept_in_memory, CRASHING_VOTES),
    Ablation("TCC: the decision is logged", votes_without.decision_is_kept_in_memory, CRASHING_RESERVATIONS),
    Ablation("two-phase commit: silence is no vote", votes_without.silence_counts_as_a_vote, LOSSY_VOTES),
    Ablation("TCC: silence is no reservation", votes_without.silence_counts_as_a_vote, LOSSY_RESERVATIONS),
    Ablation("two-phase commit: all have voted before anybody commits", votes_without.first_vote_decides, LOSSY_VOTES),
    Ablation("TCC: all is reserved before anything is confirmed", votes_without.first_vote_decides, LOSSY_RESERVATIONS),
    Ablation("what somebody else has moved is read again", without.stale_sagas_are_not_doubted, UNHEARD_TRIPS),
    Ablation("a key is looked up before its request is carried out", without.keys_are_not_looked_at, UNHEARD_TRIPS),
    Ablation("an answer to a claimed key stands", without.answers_are_replaced, IMPATIENT_BELLS),
    Ablation("what is undecided waits for the decision", without.undecided_counts_as_abort, VOTES_IN_DOUBT),
    Ablation(
        "a coordinator checks epoch and revision", without.nobody_checks_who_writes, ZOMBIE_VOTES, MOST, long=True
    ),
    Ablation(
        "who coordinates is checked: revisions, epochs here and there",
        without.nobody_checks_anything,
        ZOMBIE_VOTES,
        MOST,
        long=True,
    ),
]
REDUNDANT = [
    Ablation("an update checks its revision", hazards.revisions_are_not_checked, ZOMBIE_VOTES),
    Ablation("a coordinator checks its epoch", without.coordinators_ignore_epochs, ZOMBIE_VOTES),
    Ablation("participants check epochs", hazards.participants_ignore_epochs, ZOMBIE_VOTES),
    Ablation("epochs are checked here and there", without.epochs_are_ignored, ZOMBIE_VOTES),
    Ablation("revisions, and epochs at participants", without.only_coordinators_check_epochs, ZOMBIE_VOTES),
    Ablation("an action is not begun after its deadline", without.late_actions_are_carried_out, HURRIED_TRIPS),
    Ablation("who takes sagas over asks anew", without.nothing_is_asked_anew, CRASHING_VOTES),
    Ablation("unheard commits are looked after", without.unheard_commits_are_forgotten, UNHEARD_TRIPS),
]
"""Rules without which nothing goes wrong in `MOST` seeds: others stand behind them, or they only make things faster."""


def find(ablation: Ablation, most: int | None = None) -> Found | None:
    """Runs seeds from 0 until one fails."""
    began = process_time()
    with pytest.MonkeyPatch.context() as patch:
        ablation.take_out(patch)
        for seed in range(most or ablation.most):
            if oracles := judged(ablation.scenario, seed):
                return Found(seed + 1, oracles, process_time() - began)
    return None


def judged(scenario: Scenario, seed: int) -> list[str]:
    """The names of what does not hold, without repetition."""
    try:
        return [*dict.fromkeys(violation.what for violation in play(scenario, seed).violations)]
    except Exception as error:  # whatever the patch has broken
        return [f"raises {type(error).__name__}"]


def name_of(scenario: Scenario) -> str:
    return next((name for name, each in SCENARIOS.items() if each is scenario), scenario.saga.name)


def table(ablations: Sequence[Ablation]) -> Iterator[str]:
    """In Markdown."""
    yield "| rule | taken out by | world | seeds | oracle |"
    yield "|---|---|---|---:|---|"
    for each in ablations:
        found = find(each, MOST)
        told = (f"none of {MOST}", "") if found is None else (str(found.seeds), "; ".join(found.oracles[:2]))
        yield f"| {each.rule} | `{each.take_out.__name__}` | {name_of(each.scenario)} | {told[0]} | {told[1]} |"


if __name__ == "__main__":
    for line in chain(table(ABLATIONS), [""], table(REDUNDANT)):
        print(line, flush=True)
