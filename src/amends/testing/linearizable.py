"""Whether one order of clients' operations, each at one moment between its call and its return, explains what they saw.

    history = History[PurseInput, PurseOutput]()        # amends.testing.objects
    token = history.call("wallet-7", "ann", Hold(30))
    history.returned(token, Answer.REFUSED)
    assert check(history, Purse({"wallet-7": 20})) is None

Each key is searched by itself (Herlihy and Wing, 1990: an order exists when each object has one). The search is that of
Wing and Gong (1993) with Lowe's two improvements (2017): an operation is placed only once a return asks for one, and no
set of placed operations is tried twice with the same state. What changes no state is placed as soon as it fits.
Operations that never returned cost most, above all when their inputs differ: each of them may have happened at any time
since its call, or not at all.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, NewType, Protocol, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")
State = TypeVar("State")

Token = NewType("Token", int)
_Node = tuple[int, State]
_Move = tuple[tuple[int, ...], int, State]

_SHOWN = 12


class Operation(NamedTuple, Generic[Asked, Answered]):
    """One operation on `key` as the client `who` saw it. `call_at` and `return_at` number steps; `input` is hashable.

    Without a `return_at` it may or may not have happened, and `output` says nothing. Two operations are in order when
    one returned at an earlier step than the other was called.
    """

    key: str
    who: str
    call_at: int
    return_at: int | None
    input: Asked
    output: Answered | None = None

    def may_answer(self, output: Answered | None) -> bool:
        """Whether the client saw this output, or none."""
        return self.return_at is None or self.output == output

    def __str__(self) -> str:
        came = "no answer" if self.return_at is None else str(self.output)
        until = "…" if self.return_at is None else self.return_at
        return f"{self.who} [{self.call_at}–{until}] {self.input} → {came}"


class Model(Protocol[State, Asked, Answered]):
    """A sequential object. States are hashable; those that compare equal are one."""

    def initial(self, key: str) -> State: ...

    def step(self, state: State, operation: Operation[Asked, Answered]) -> Iterable[State]:
        """The states after the operation, none when it can't have its output now. It has any when it never returned."""

    def may_change(self, operation: Operation[Asked, Answered]) -> bool:
        """Whether the operation, with its output, can change any state. Reads and refusals can't, which saves time."""


class History(Generic[Asked, Answered]):
    """What clients do, as they do it. Steps are counted, not timed. A call that nobody closes may have happened."""

    def __init__(self) -> None:
        self._operations: dict[Token, Operation[Asked, Answered]] = {}
        self._open: set[Token] = set()
        self._step = 0

    def __iter__(self) -> Iterator[Operation[Asked, Answered]]:
        return iter(self._operations.values())

    def __len__(self) -> int:
        return len(self._operations)

    def call(self, key: str, who: str, asked: Asked) -> Token:
        at = self._next()
        token = Token(at)
        self._operations[token] = Operation(key, who, at, None, asked)
        self._open.add(token)
        return token

    def returned(self, token: Token, output: Answered) -> None:
        self._close(token)
        self._operations[token] = self._operations[token]._replace(return_at=self._next(), output=output)

    def failed(self, token: Token) -> None:
        """It did not happen, for sure."""
        self._close(token)
        del self._operations[token]

    def unknown(self, token: Token) -> None:
        """Nobody will tell whether it happened, or it still may."""
        self._close(token)

    def _close(self, token: Token) -> None:
        if token not in self._open:
            raise ValueError(f"call {token} is not open: close each call once")
        self._open.remove(token)

    def _next(self) -> int:
        self._step += 1
        return self._step


@dataclass(frozen=True, slots=True)
class Violation(Generic[State, Asked, Answered]):
    """Up to the return of `operation` the history of `key` has no order; without that return it has one: `placed`.

    `states` are all that the model can have had where the operation could stand. `unplaced` were under way too.
    """

    key: str
    operation: Operation[Asked, Answered]
    states: tuple[State, ...]
    placed: tuple[Operation[Asked, Answered], ...]
    unplaced: tuple[Operation[Asked, Answered], ...]

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.key}: no order of the operations explains their outputs",
                *_told("in this order all is well:", self.placed),
                *_told("nowhere fits:", [self.operation]),
                *_told("the model has there, by one order or another:", self.states),
                *_told("under way too:", self.unplaced),
            ]
        )


def _told(title: str, items: Iterable[object]) -> list[str]:
    lines = [f"    {item}" for item in items]
    more = len(lines) - _SHOWN
    return [f"  {title}", *([f"    … {more} more"] if more > 0 else []), *lines[-_SHOWN:]] if lines else []


def check(
    history: Iterable[Operation[Asked, Answered]], model: Model[State, Asked, Answered]
) -> Violation[State, Asked, Answered] | None:
    """What is wrong with the first key that has no order, or None. Raises `ValueError` for a return before its call."""
    keys: dict[str, list[Operation[Asked, Answered]]] = {}
    for operation in history:
        if operation.return_at is not None and operation.return_at < operation.call_at:
            raise ValueError(f"returned before it was called: {operation}")
        keys.setdefault(operation.key, []).append(operation)
    violations = (_Search(key, operations, model).run() for key, operations in keys.items())
    return next((violation for violation in violations if violation), None)


class _Search(Generic[State, Asked, Answered]):
    """Operations are numbered by their returns, those that never returned last; a set of them is a mask of bits.

    So the first number that a mask lacks is the return that waits. A node is a mask and a state; `_seen` has all that
    were reached, each with the numbers placed last and the node before them.
    """

    def __init__(
        self, key: str, operations: list[Operation[Asked, Answered]], model: Model[State, Asked, Answered]
    ) -> None:
        returned = sorted((each for each in operations if each.return_at is not None), key=_return_of)
        lost = [each for each in operations if each.return_at is None and model.may_change(each)]
        self._key = key
        self._model = model
        self._operations = returned + sorted(lost, key=lambda each: each.call_at)
        self._returned = len(returned)
        self._called = _called_by_return(self._operations, self._returned)
        self._twins = _twins(self._operations, self._returned)
        self._looks = sum(1 << number for number, each in enumerate(returned) if not model.may_change(each))
        self._changes = (1 << len(returned)) - 1 - self._looks
        self._seen: dict[_Node[State], tuple[list[int], _Node[State] | None]] = {}
        self._steps: dict[tuple[State, int], tuple[State, ...]] = {}
        self._spent: dict[_Node[State], list[int]] = {}

    def run(self) -> Violation[State, Asked, Answered] | None:
        trail = [self._new(None, [((), 0, self._model.initial(self._key))])]
        while trail:
            node = next(trail[-1], None)
            if node is None:
                trail.pop()
            elif _first_lacking(node[0]) >= self._returned:
                return None
            else:
                trail.append(self._new(node, self._moves(node)))
        return self._violation()

    def _new(self, before: _Node[State] | None, moves: Iterable[_Move[State]]) -> Iterator[_Node[State]]:
        """The nodes that the moves lead to, unless the search was at one as good."""
        for placed, mask, state in moves:
            if not self._is_covered(mask, state):
                looks = self._fitting_looks(mask, state)
                node = (mask | sum(1 << number for number in looks), state)
                self._cover(*node)
                self._seen[node] = ([*placed, *looks], before)
                yield node

    def _moves(self, node: _Node[State]) -> Iterator[_Move[State]]:
        """First the one that places the return that waits."""
        mask, state = node
        for number in _numbers(self._called[_first_lacking(mask)] & ~mask & ~self._looks):
            if self._twins[number] & ~mask:
                continue
            for after in self._step(state, number):
                if number < self._returned or after != state:  # what nobody saw is placed for its effect only
                    yield (number,), mask | 1 << number, after

    def _fitting_looks(self, mask: int, state: State) -> list[int]:
        """What changes nothing and fits here loses nothing by standing here."""
        looks: list[int] = []
        while (waiting := _first_lacking(mask)) < self._returned:
            candidates = _numbers(self._called[waiting] & ~mask & self._looks)
            fitting = [number for number in candidates if state in self._step(state, number)]
            if not fitting:
                break
            looks += fitting
            mask |= sum(1 << number for number in fitting)
        return looks

    def _step(self, state: State, number: int) -> tuple[State, ...]:
        """The model's, asked once for each."""
        found = self._steps.get((state, number))
        if found is None:
            found = self._steps[state, number] = tuple(self._model.step(state, self._operations[number]))
        return found

    def _is_covered(self, mask: int, state: State) -> bool:
        spent = self._spent_in(mask)
        return any(not other & ~spent for other in self._spent.get((mask & self._changes, state), ()))

    def _cover(self, mask: int, state: State) -> None:
        spent, key = self._spent_in(mask), (mask & self._changes, state)
        self._spent[key] = [other for other in self._spent.get(key, ()) if spent & ~other] + [spent]

    def _spent_in(self, mask: int) -> int:
        """What makes a node worse than others: looks to be placed still, and what never returned placed already."""
        return (mask ^ self._looks) & ~self._changes

    def _violation(self) -> Violation[State, Asked, Answered]:
        stands = max(_first_lacking(mask) for mask, _ in self._seen)
        ends = [node for node in self._seen if _first_lacking(node[0]) == stands]
        longest = max(ends, key=lambda node: node[0].bit_count())
        unplaced = _numbers(self._called[stands] & ~longest[0] & ~(1 << stands))
        return Violation(
            self._key,
            self._operations[stands],
            tuple(dict.fromkeys(state for _, state in ends)),
            tuple(self._operations[number] for number in self._way_to(longest)),
            tuple(self._operations[number] for number in unplaced),
        )

    def _way_to(self, end: _Node[State]) -> list[int]:
        way: list[list[int]] = []
        node: _Node[State] | None = end
        while node:
            numbers, node = self._seen[node]
            way.append(numbers)
        return [number for numbers in reversed(way) for number in numbers]


def _return_of(operation: Operation[Asked, Answered]) -> int:
    return operation.return_at or 0


def _first_lacking(mask: int) -> int:
    return (~mask & (mask + 1)).bit_length() - 1


def _numbers(mask: int) -> Iterator[int]:
    while mask:
        number = (mask & -mask).bit_length() - 1
        mask &= mask - 1
        yield number


def _called_by_return(operations: list[Operation[Asked, Answered]], returned: int) -> list[int]:
    """For each return the mask of what was called by then."""
    calls = sorted(range(len(operations)), key=lambda number: operations[number].call_at, reverse=True)
    masks, mask = [], 0
    for operation in operations[:returned]:
        while calls and operations[calls[-1]].call_at <= _return_of(operation):
            mask |= 1 << calls.pop()
        masks.append(mask)
    return masks


def _twins(operations: list[Operation[Asked, Answered]], returned: int) -> list[int]:
    """For each operation that never returned, the mask of those like it that were called before it: they go first."""
    like: dict[tuple[type, Asked], int] = {}
    masks = [0] * returned
    for number, operation in enumerate(operations[returned:], returned):
        kind = (type(operation.input), operation.input)
        masks.append(like.get(kind, 0))
        like[kind] = masks[-1] | 1 << number
    return masks
