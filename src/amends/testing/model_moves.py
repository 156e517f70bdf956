"""What may happen next in a world of the model: every delivery, loss, copy, timer and crash.

The net has no order. What leads to a world that is there already is no move of its own:

| what happens                                    | is the same as                                  |
|-------------------------------------------------|-------------------------------------------------|
| a participant crashes before its commit         | the command is still on its way                 |
| the transport is away, the sweep sends later    | the message is still on its way                 |
| a command comes past its deadline               | it is refused                                   |
| the coordinator crashes before a write, or idle | one move: its successor asks anew what is open  |
| it crashes after a write that a timer led to    | the timer, then that move                       |
| a message comes that can't change anything      | nothing: it is taken out of the net at once     |
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from amends.machine import Answer
from amends.messages import Operation
from amends.testing import model_lease
from amends.testing.model_coordinator import DEADLINE, CoordinatorModel, Message, Written
from amends.testing.model_participant import NO_REPLY, ParticipantModel
from amends.testing.model_words import Cost, Numbered, Purse, Setting

Places = tuple[int, ...]
Net = tuple[int, ...]
World = tuple[int, Places, Net, int, int]
"""By number: the saga, each participant, the messages in flight, the trouble left, a frozen coordinator's write."""
Move = tuple[str, int, str, World]
"""What happens, with which message or `NO_MESSAGE`, how it is answered, and the world after."""

NO_MESSAGE = -1
COORDINATOR = -1
_COPY = "participant takes a copy of"
_CRASH = "participant crashes after its commit, having taken"


class Frozen(NamedTuple):
    """What a coordinator was about to write when it froze; `stale`: its successor has written the saga since."""

    epoch: int = 0
    after: int = 0
    asks: tuple[int, ...] = ()
    stale: bool = False


class Moves:
    """Lists the moves of a world. A timer comes without trouble when nothing of what it waits for is in flight."""

    def __init__(self, setting: Setting) -> None:
        fails = setting.trouble.failures > 0
        self.messages = Numbered[Message]()
        self.coordinator = CoordinatorModel(setting.saga, self.messages, fails=fails)
        self.participants = ParticipantModel(setting.saga, self.messages, self.coordinator.envelope, fails=fails)
        self._setting = setting
        self._purse = Purse(setting.trouble, setting.participants)
        self._frozen = Numbered[Frozen]()
        self._nothing = self._frozen.number(Frozen())
        self._taker = cache(self._find_taker)
        self._about = cache(self._find_about)
        self._spent = cache(self._is_spent)

    def first(self) -> World:
        """The saga has started, its first commands are on their way."""
        begun = self.coordinator.begun
        places = (self.participants.empty,) * self._setting.participants
        return begun.saga, places, tuple(sorted(begun.asks)), self._purse.full, self._nothing

    def of(self, world: World) -> tuple[list[Move], list[Move]]:
        """The moves without trouble, and those with some."""
        saga, _, net, _, frozen = world
        calm: list[Move] = []
        troubles: list[Move] = []
        for message in dict.fromkeys(net):
            at, taker = net.index(message), self._taker(message)
            rest = net[:at] + net[at + 1 :]
            if taker == COORDINATOR:
                self._reply(world, message, rest, calm, troubles)
            else:
                self._command(world, message, rest, calm, troubles)
            self._loss(world, message, rest, troubles)
        if not self.coordinator.ended(saga):
            self._timers(world, calm, troubles)
            self._crash(world, troubles)
        if frozen != self._nothing:
            self._wake(world, troubles)
        return calm, troubles

    def _command(self, world: World, message: int, rest: Net, calm: list[Move], troubles: list[Move]) -> None:
        saga, places, _, left, frozen = world
        taker = self._taker(message)
        for told, place, reply, cost in self.participants.carry_out(places[taker], message):
            paid = self._purse.spend(left, cost)
            if paid >= 0:
                after = (*places[:taker], place, *places[taker + 1 :])
                sent = rest if reply == NO_REPLY else (*rest, reply)
                calm.append(("participant takes", message, told, self._world(saga, after, sent, paid, frozen)))
                for what, price in ((_COPY, Cost.DUPLICATE), (_CRASH, Cost.PARTICIPANT + taker)):
                    less = self._purse.spend(paid, price)
                    if less >= 0:
                        kept = self._world(saga, after, (*sent, message), less, frozen)
                        troubles.append((what, message, told, kept))

    def _reply(self, world: World, message: int, rest: Net, calm: list[Move], troubles: list[Move]) -> None:
        saga, _, net, left, _ = world
        epoch = self._purse.epoch(left)
        written = self.coordinator.take(saga, message, epoch)
        calm.append(("coordinator takes", message, "", self._after(world, written, rest, left)))
        less = self._purse.spend(left, Cost.DUPLICATE)
        if less >= 0:
            troubles.append(("coordinator takes a copy of", message, "", self._after(world, written, net, less)))
        crashed = self._purse.spend(left, Cost.COORDINATOR)
        if crashed >= 0 and written != (saga, ()):
            anew = self.coordinator.anew(written.saga, epoch + 1)
            after = self._after(world, written, (*net, *anew), crashed)
            troubles.append(("coordinator crashes after its write, having taken", message, "", after))
            self._freeze(world, "having taken", message, written, troubles)

    def _loss(self, world: World, message: int, rest: Net, troubles: list[Move]) -> None:
        saga, places, _, left, frozen = world
        less = self._purse.spend(left, Cost.LOSS)
        if less >= 0:
            troubles.append(("the net loses", message, "", (saga, places, rest, less, frozen)))

    def _timers(self, world: World, calm: list[Move], troubles: list[Move]) -> None:
        saga, _, net, left, _ = world
        epoch, early = self._purse.epoch(left), self._purse.spend(left, Cost.TIMER)
        for step, operation in self.coordinator.waiting(saga):
            needed = (step, operation) not in map(self._about, net)
            if needed or early >= 0:
                written = self.coordinator.expire(saga, step, epoch)
                what = f"patience ends with {self._setting.saga.steps[step].name}"
                after = self._after(world, written, net, left if needed else early)
                (calm if needed else troubles).append((what, NO_MESSAGE, "", after))
                self._freeze(world, f"as {what}", NO_MESSAGE, written, troubles)
        written = self.coordinator.expire(saga, DEADLINE, epoch)
        if early >= 0 and written.saga != saga:
            troubles.append(("the deadline passes", NO_MESSAGE, "", self._after(world, written, net, early)))
        mended = self.coordinator.retry(saga, epoch)
        if mended is not None:
            calm.append(("a person retries", NO_MESSAGE, "", self._after(world, mended, net, left)))

    def _crash(self, world: World, troubles: list[Move]) -> None:
        """Before a write, or idle: what was about to be taken comes again."""
        left, frozen = world[3:]
        crashed = self._purse.spend(left, Cost.COORDINATOR)
        if crashed >= 0:
            troubles.append(("coordinator crashes", NO_MESSAGE, "", self._taken_over(world, crashed, frozen)))

    def _freeze(self, world: World, why: str, message: int, written: Written, troubles: list[Move]) -> None:
        """A crash that is none: the coordinator stands still before its write, and may wake."""
        crashed = self._purse.spend(world[3], Cost.COORDINATOR)
        if self._setting.freezes and crashed >= 0:
            frozen = self._frozen.number(Frozen(self._purse.epoch(world[3]), *written))
            after = self._taken_over(world, crashed, frozen)
            troubles.append((f"coordinator freezes before its write, {why}", message, "", after))

    def _taken_over(self, world: World, left: int, frozen: int) -> World:
        saga, places, net, _, _ = world
        anew = self.coordinator.anew(saga, self._purse.epoch(left))
        return self._world(saga, places, (*net, *anew), left, frozen)

    def _wake(self, world: World, troubles: list[Move]) -> None:
        """The frozen coordinator goes on with its write."""
        saga, places, net, left, number = world
        epoch, after, asks, stale = self._frozen.values[number]
        if model_lease.holds_lease(epoch, self._purse.epoch(left)) and model_lease.is_revision(stale=stale):
            self.coordinator.replace(saga, after)
            woken = self._world(after, places, (*net, *asks), left, self._nothing)
            troubles.append(("the frozen coordinator wakes and writes", NO_MESSAGE, "", woken))
        else:
            asleep = saga, places, net, left, self._nothing
            troubles.append(("the frozen coordinator wakes and may not write", NO_MESSAGE, "", asleep))

    def _after(self, world: World, written: Written, net: Iterable[int], left: int) -> World:
        """The coordinator has written."""
        saga, places, _, _, frozen = world
        if frozen != self._nothing and written.saga != saga:
            frozen = self._frozen.number(self._frozen.values[frozen]._replace(stale=True))
        return self._world(written.saga, places, (*net, *written.asks), left, frozen)

    def _world(self, saga: int, places: Places, messages: Iterable[int], left: int, frozen: int) -> World:
        net = sorted([each for each in messages if not self._spent(saga, places, each)])
        return saga, places, tuple(net), left, frozen

    def _find_taker(self, message: int) -> int:
        """Which participant takes a command, or the `COORDINATOR`, which takes replies."""
        sent = self.messages.values[message]
        return COORDINATOR if isinstance(sent, Answer) else min(sent.step, self._setting.participants - 1)

    def _find_about(self, message: int) -> tuple[int, Operation]:
        sent = self.messages.values[message]
        step = self._setting.saga.index[sent.step] if isinstance(sent, Answer) else sent.step
        return step, sent.operation

    def _is_spent(self, saga: int, places: Places, message: int) -> bool:
        """Whether a message changes nothing any more: neither its taker nor, by the answer, the saga."""
        taker = self._taker(message)
        if not self.coordinator.spent(saga, *self._about(message)):
            return False
        return taker == COORDINATOR or all(
            each.place == places[taker] for each in self.participants.carry_out(places[taker], message)
        )
