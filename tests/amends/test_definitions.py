"""A wrong definition fails at import, and says where and what to do; a wrong builder fails in the type checker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mypy import api

from amends import Cause, Command, Done, Given, Reply, Retry, Saga

from amends import begun, best_effort, compensatable, pivot, retriable, together  # isort: skip
from amends.errors import DefinitionError
from amends.saga import Group, Step


class Trip(msgspec.Struct, frozen=True):
    id: str


class Walk(msgspec.Struct, frozen=True):
    id: str


class Book(Command):
    participant = "hotel"
    trip: str


class Homeless(Command):
    trip: str


class Booked(Reply):
    room: int


def book(trip: Trip) -> Book:
    return Book(trip.id)


def unbook(trip: Trip) -> Book:
    return Book(trip.id)


def book_walk(walk: Walk) -> Book:
    return Book(walk.id)


def book_nowhere(trip: Trip) -> Homeless:
    return Homeless(trip.id)


def book_nothing(trip: Trip) -> Done:
    return Done()


def book_given(trip: Trip, booked: Booked) -> Book:
    return Book(f"{trip.id}{booked.room}")


def unbook_cause(trip: Trip, cause: Cause) -> Book:
    return Book(trip.id + cause)


def unbook_reply(trip: Trip, booked: Booked) -> Book:
    return Book(f"{trip.id}{booked.room}")


def unbook_three(trip: Trip, cause: Cause, more: str) -> Book:
    return Book(trip.id)


GIVEN: Any = Given("book", Booked)
Parts = tuple[Step[Any] | Group[Any], ...]
c = compensatable("book", book, undo=unbook)
r = retriable("tell", book)

# What is wrong, the step that the message has to name, a word of what is wrong, a word of the mend.
WRONG: dict[str, tuple[Callable[[], Parts], str, str, str]] = {
    "two steps of one name": (lambda: (c, c), "book", "used twice", "a name of its own"),
    "a step without a name": (lambda: (retriable("", book),), "", "empty", "a name of its own"),
    "a retriable before a compensatable": (lambda: (r, c), "book", "comes too late", "order: compensatable"),
    "a pivot after a retriable": (lambda: (r, pivot("pay", book)), "pay", "comes too late", "order"),
    "two pivots": (
        lambda: (pivot("pay", book), pivot("pay twice", book)),
        "pay twice",
        "second pivot",
        "make the others retriable",
    ),
    "a pivot beside another": (
        lambda: (together(pivot("pay", book), pivot("pay twice", book)),),
        "pay",
        "second pivot",
        "make the others retriable",
    ),
    "a group of several kinds": (lambda: (together(c, r),), "book", "mixes kinds", "one kind together"),
    "an empty group": (lambda: (c, Group(())), "book", "empty", "one kind together"),
    "a begun step that is not the first": (lambda: (c, begun("open", undo=unbook)), "open", "first", "to the front"),
    "a begun step beside others": (
        lambda: (together(begun("open", undo=unbook), c),),
        "open",
        "alone",
        "to the front",
    ),
    "a compensatable step without compensation": (
        lambda: (Step("book", c.kind, book),),
        "book",
        "no compensation",
        "undo=",
    ),
    "a builder of another saga's input": (
        lambda: (retriable("walk", book_walk),),
        "walk",
        "book_walk takes Walk",
        "take the saga's input, Trip",
    ),
    "a command without participant": (
        lambda: (retriable("tell", book_nowhere),),
        "tell",
        "makes Homeless",
        "names its participant",
    ),
    "a builder that makes no command": (
        lambda: (Step("tell", r.kind, book_nothing),),  # type: ignore[arg-type]
        "tell",
        "makes Done",
        "return a Command",
    ),
    "a builder that wants a reply that is not given": (
        lambda: (Step("tell", r.kind, book_given),),
        "tell",
        "takes 2 arguments",
        "take the input",
    ),
    "a compensation that wants a reply": (
        lambda: (Step("book", c.kind, book, unbook_reply),),
        "book",
        "unbook_reply wants",
        "never a reply",
    ),
    "a compensation that wants too much": (
        lambda: (Step("book", c.kind, book, unbook_three),),
        "book",
        "takes 3 arguments",
        "it may be lost",
    ),
    "a reply of an unknown step": (
        lambda: (c, retriable("tell", book_given, given=Given("fly", Booked))),
        "tell",
        "'fly' is not asked before it",
        "an earlier group",
    ),
    "a reply of the same group": (
        lambda: (together(r, retriable("call", book_given, given=Given("tell", Booked))),),
        "call",
        "'tell' is not asked before it",
        "an earlier group",
    ),
    "a reply of a begun step": (
        lambda: (begun("book", undo=unbook), retriable("tell", book_given, given=GIVEN)),
        "tell",
        "'book' is not asked before it",
        "an earlier group",
    ),
    "a reply of a step that may be given up": (
        lambda: (best_effort("book", book), retriable("tell", book_given, given=GIVEN)),
        "tell",
        "'book' may be given up",
        "an earlier group",
    ),
    "no patience": (lambda: (retriable("tell", book, timeout_s=0.0),), "tell", "not positive", "timeout_s > 0"),
    "no attempts": (
        lambda: (retriable("tell", book, retry=Retry(attempts=0)),),
        "tell",
        "not positive",
        "attempts >= 1",
    ),
    "no attempts to undo": (
        lambda: (compensatable("book", book, undo=unbook, undo_retry=Retry(attempts=0)),),
        "book",
        "not positive",
        "attempts >= 1",
    ),
    "timeouts beyond the deadline": (
        lambda: (c, compensatable("fly", book, undo=unbook, timeout_s=40.0)),
        "fly",
        "may take 90.2 s, the saga's deadline is 60 s",
        "longer deadline_s",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_definition_is_refused_with_saga_step_and_mend(name: str) -> None:
    parts, step, wrong, mend = WRONG[name]
    with pytest.raises(DefinitionError) as refused:
        Saga("trip", Trip, *parts())
    message = str(refused.value)
    assert message.startswith(f"saga 'trip', step {step!r}: ")
    assert wrong in message
    assert mend in message.rsplit("; ", 1)[1]


def test_saga_without_steps_is_refused() -> None:
    with pytest.raises(DefinitionError, match="saga 'trip' has no steps: add at least one"):
        Saga("trip", Trip)


def test_right_definition_is_accepted_with_its_groups() -> None:
    saga = Saga(
        "trip",
        Trip,
        begun("open", undo=unbook_cause),
        together(c, compensatable("fly", book, undo=unbook_cause)),
        pivot("pay", book_given, given=GIVEN),
        together(r, best_effort("note", book)),
    )
    assert saga.groups == ((0,), (1, 2), (3,), (4, 5))
    assert saga.commit_group == 2


def test_version_is_made_of_the_content() -> None:
    assert Saga("trip", Trip, c, r).version == Saga("trip", Trip, c, r).version
    other = retriable("say", book)
    versions = [
        Saga("trip", Trip, c, r),
        Saga("trip", Trip, c, other),
        Saga("trip", Trip, together(c), pivot("tell", book)),
        Saga("trap", Trip, c, r),
        Saga("trip", Trip, r),
    ]
    assert len({saga.version for saga in versions}) == len(versions)


SNIPPET = """
import msgspec
from amends import Cause, Command, Given, Reply, Saga, compensatable, pivot, retriable, together

class Trip(msgspec.Struct, frozen=True):
    id: str

class Walk(msgspec.Struct, frozen=True):
    id: str

class Book(Command):
    participant = "hotel"
    trip: str

class Booked(Reply):
    room: int

class Paid(Reply):
    total: int

def book(trip: Trip) -> Book: return Book(trip.id)
def unbook(trip: Trip) -> Book: return Book(trip.id)
def unbook_cause(trip: Trip, cause: Cause) -> Book: return Book(trip.id)
def book_walk(walk: Walk) -> Book: return Book(walk.id)
def book_room(trip: Trip, booked: Booked) -> Book: return Book(trip.id)
def unbook_room(trip: Trip, booked: Booked) -> Book: return Book(trip.id)
def no_command(trip: Trip) -> str: return trip.id

good = compensatable("book", book, undo=unbook)
saga = {saga}
"""
RIGHT = 'Saga("trip", Trip, good, together(good), pivot("pay", book_room, given=Given("book", Booked)))'
WRONG_TYPES = {
    "a builder of another input": 'Saga("trip", Trip, good, retriable("walk", book_walk))',
    "a pivot of another input": 'Saga("trip", Trip, good, pivot("walk", book_walk))',
    "a compensation of another input": 'Saga("trip", Trip, compensatable("book", book, undo=book_walk))',
    "another input within a group": 'Saga("trip", Trip, together(good, compensatable("w", book_walk, undo=book_walk)))',
    "a builder that makes no command": 'Saga("trip", Trip, retriable("tell", no_command))',
    "a reply that is not given": 'Saga("trip", Trip, good, pivot("pay", book_room))',
    "a reply of another type": 'Saga("trip", Trip, good, pivot("pay", book_room, given=Given("book", Paid)))',
    "a compensation that wants a reply": 'Saga("trip", Trip, compensatable("book", book, undo=unbook_room))',
}


def check_types(folder: Path, saga: str) -> tuple[int, str]:
    snippet = folder / "snippet.py"
    snippet.write_text(SNIPPET.replace("{saga}", saga))
    cache = folder.parent / "mypy_cache"
    report, errors, status = api.run(["--strict", "--cache-dir", str(cache), "--config-file", "", str(snippet)])
    return status, report + errors


def test_mypy_accepts_a_right_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYPYPATH", str(Path(__file__).parents[2] / "src"))
    status, report = check_types(tmp_path, RIGHT)
    assert status == 0, report


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_mypy_refuses_a_wrong_definition(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYPYPATH", str(Path(__file__).parents[2] / "src"))
    status, report = check_types(tmp_path, WRONG_TYPES[name])
    last = SNIPPET.rstrip().count("\n") + 1
    assert status == 1
    assert f"snippet.py:{last}: error:" in report, report
    assert report.count("error:") <= 2, report
