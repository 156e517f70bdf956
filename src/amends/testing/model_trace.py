"""How the model came to a world, in lines to read.

1  participant takes action of s0, epoch 1: carries it out
     running: s0 asked, did do; s1 waiting. In flight: done to action of s0
"""

from collections.abc import Sequence

from amends.machine import Answer
from amends.messages import Operation
from amends.saga import Saga
from amends.testing.model_coordinator import Message
from amends.testing.model_moves import NO_MESSAGE, Move, Moves, World
from amends.testing.model_words import Order


class Broken(AssertionError):
    """A rule does not hold. `trace`: the moves that lead there, as few as there can be, each with what is after it."""

    def __init__(self, shape: str, rule: str, trace: Sequence[str]) -> None:
        super().__init__("\n".join([f"{shape}: {rule}", "  0  the saga starts", *trace]))
        self.rule = rule
        self.trace = trace


def trace(saga: Saga[Order], moves: Moves, path: Sequence[Move]) -> list[str]:
    """Each move, and the world after it."""
    return [
        f"{number:>3}  {_move(saga, moves, move)}\n       {_world(saga, moves, move[3])}"
        for number, move in enumerate(path, 1)
    ]


def _move(saga: Saga[Order], moves: Moves, move: Move) -> str:
    what, message, told, _ = move
    about = "" if message == NO_MESSAGE else f" {_message(saga, moves.messages.values[message])}"
    return what + about + (f": {told}" if told else "")


def _world(saga: Saga[Order], moves: Moves, world: World) -> str:
    number, places, net, _, _ = world
    state, homes = moves.coordinator.states.values[number], [moves.participants.places.values[each] for each in places]
    steps = []
    for at, (step, each) in enumerate(zip(saga.steps, state.steps, strict=True)):
        effects = homes[min(at, len(homes) - 1)].effects[at]
        steps.append(f"{step.name} {each.phase}" + (f", did {', '.join(effects)}" if effects else ""))
    flying = ", ".join(_message(saga, moves.messages.values[each]) for each in net)
    return f"{state.status}: {'; '.join(steps)}. In flight: {flying or 'nothing'}"


def _message(saga: Saga[Order], message: Message) -> str:
    if isinstance(message, Answer):
        return f"{message.outcome} to {_operation(message.step, message.operation)}"
    attempt = f", attempt {message.attempt}" if message.attempt else ""
    asked = _operation(saga.steps[message.step].name, message.operation)
    return f"{asked}, epoch {message.epoch}{attempt}{', again' if message.again else ''}"


def _operation(step: str, operation: Operation) -> str:
    return f"{operation} of {step}"
