"""Histories made by a real object under random interleaving, and a checker that tries every order."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from random import Random
from typing import Any

from amends.testing.linearizable import History, Model, Operation
from amends.testing.objects import (
    Capture,
    CompareAndSet,
    Deposit,
    Hold,
    Purse,
    PurseInput,
    Read,
    Register,
    RegisterInput,
    Release,
    Take,
    Write,
)

KEY = "the one"
Seen = Operation[Any, Any]


def seen(*lines: tuple[int, int | None, Any, Any], key: str = KEY) -> list[Seen]:
    """Operations of one key, each by a client of its own: call, return, input, output."""
    return [
        Operation(key, f"client {at}", called, back, asked, out) for at, (called, back, asked, out) in enumerate(lines)
    ]


def register_input(random: Random) -> RegisterInput:
    one, other = random.randrange(3), random.randrange(3)
    asked: list[RegisterInput] = [Read(), Write(one), CompareAndSet(one, other)]
    return random.choice(asked)


def purse_input(random: Random) -> PurseInput:
    kind = random.choice([Deposit, Take, Hold, Release, Capture, Read])
    return Read() if kind is Read else kind(random.randrange(1, 5))


def client(who: str, world: "World") -> Iterator[None]:
    """Calls, has its effect some time later, hears of it some time after that; or the call or the answer is lost."""
    while True:
        asked = world.draw()
        token = world.history.call(KEY, who, asked)
        yield
        arrived = world.random.random() >= world.lost
        output = world.apply(asked) if arrived else None
        yield
        if arrived and world.random.random() >= world.lost:
            world.history.returned(token, output)
        else:
            world.history.unknown(token)
        yield


class World:
    """Some clients of one object. `lost`: how often a call goes astray, and how often an answer."""

    def __init__(self, random: Random, model: Any, draw: Any, lost: float) -> None:
        self.random, self.model, self.lost = random, model, lost
        self.history: History[Any, Any] = History()
        self.state = model.initial(KEY)
        self._draw = draw

    def draw(self) -> Any:
        return self._draw(self.random)

    def apply(self, asked: Any) -> Any:
        self.state, output = self.model.apply(self.state, asked)
        return output

    def run(self, clients: int, operations: int) -> list[Seen]:
        """As many operations as asked for; the last ones stay open."""
        lives = [client(f"client {at}", self) for at in range(clients)]
        while len(self.history) < operations:
            next(self.random.choice(lives))
        return list(self.history)


def made(random: Random, kind: str, clients: int, operations: int, lost: float = 0.0) -> tuple[Any, list[Seen]]:
    """A model and a history that its object has made."""
    model, draw = (Register(), register_input) if kind == "register" else (Purse({KEY: 5}), purse_input)
    return model, World(random, model, draw, lost).run(clients, operations)


def mutated(random: Random, history: Sequence[Seen], answers: Sequence[Any]) -> list[Seen]:
    """The history with another output of one operation that returned."""
    returned = [at for at, each in enumerate(history) if each.return_at is not None]
    if not returned:
        return list(history)
    at = random.choice(returned)
    return [*history[:at], history[at]._replace(output=random.choice(answers)), *history[at + 1 :]]


def some_order_explains(history: Sequence[Seen], model: Model[Any, Any, Any]) -> bool:
    """The slow way: every order of what returned and of every part of what did not."""
    returned = [each for each in history if each.return_at is not None]
    lost = [each for each in history if each.return_at is None]
    parts = ([each for at, each in enumerate(lost) if mask >> at & 1] for mask in range(1 << len(lost)))
    return any(_explains(order, model) for part in parts for order in permutations([*returned, *part]))


def _explains(order: Sequence[Seen], model: Model[Any, Any, Any]) -> bool:
    return _in_order(order) and _possible(order, model)


def _in_order(order: Sequence[Seen]) -> bool:
    """Nobody stands behind one that was called after it had returned."""
    return not any(
        later.return_at is not None and later.return_at < earlier.call_at
        for at, earlier in enumerate(order)
        for later in order[at + 1 :]
    )


def _possible(order: Iterable[Seen], model: Model[Any, Any, Any]) -> bool:
    states = {model.initial(KEY)}
    for operation in order:
        states = {after for state in states for after in model.step(state, operation)}
    return bool(states)
