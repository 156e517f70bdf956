"""Produces: everything in the order in which it was sent, and nothing given up while the broker may still take it.

    send ─▶ carried, in line ──▶ librdkafka ──delivered──▶ taken
                 ▲                   ├──refused──▶ told, its outbox row stays, and its key waits (`lanes`)
                 └─all, in order──broken──▶ told

It runs on the event loop: a look every few milliseconds while something is carried, none otherwise.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import count
from time import monotonic

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from amends.adapters.kafka.lanes import Lanes, Sent
from amends.adapters.kafka.records import KAFKA
from amends.adapters.kafka.settings import KafkaSettings
from amends.adapters.kafka.troubles import Troubles
from amends.messages import Envelope, MessageId
from amends.ports import Taken
from amends.signals import Signals

_SOON_S = 0.005
_LATER_S = 0.1
_RENEW_AFTER_S = 1.0
_BREAKS = (KafkaError._FATAL, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)


class Sender:
    """One idempotent producer, made anew when it breaks."""

    def __init__(self, settings: KafkaSettings, signals: Signals) -> None:
        self._settings = settings
        self._signals = signals
        self._troubles = Troubles(signals, "producer")
        self._carried: dict[MessageId, Sent] = {}
        self._line: deque[Sent] = deque()
        self._lanes = Lanes()
        self._numbers = count()
        self._taken: dict[Taken, list[MessageId]] = {}
        self._look: asyncio.TimerHandle | None = None
        self._pause_s = _SOON_S
        self._closed = False
        self._number = 0
        self._broken_at: float | None = None
        self._producer = self._new_producer()

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        """What is carried already is not sent again: a sweep may come by while the broker is away."""
        if not self._closed:
            fresh = [each for each in envelopes if each.id not in self._carried]
            for sent in [Sent(next(self._numbers), each, taken) for each in fresh]:
                self._lanes.come_again(sent, self._carried)
                self._carry(sent)
            self._produce()
            self._look_in(_SOON_S)

    async def close(self) -> None:
        """Waits for what is carried, a bounded time; what is left stays in the outbox."""
        if self._closed:
            return
        self._closed = True
        until = monotonic() + self._settings.close_s
        while self._carried and monotonic() < until:
            self._look_in(_SOON_S)
            await asyncio.sleep(_SOON_S)
        if self._look is not None:
            self._look.cancel()
        if self._carried:
            self._troubles.tell(f"closed with {len(self._carried)} messages not taken; they stay in the outbox")
        self._forget_producer()

    def _carry(self, sent: Sent) -> None:
        self._carried[sent.id] = sent
        self._line.append(sent)

    def _produce(self) -> None:
        while self._line and self._broken_at is None:
            sent = self._line[0]
            if not self._lanes.passes(sent):
                self._set_aside(sent)
            elif not self._is_put(sent):
                return
            self._line.popleft()

    def _is_put(self, sent: Sent) -> bool:
        """With librdkafka, or refused. Otherwise it goes on with a later look, and nothing overtakes."""
        try:
            self._put(sent.envelope)
        except BufferError:
            return False
        except KafkaException as error:
            if self._breaks(error.args[0]):
                return False
            self._refuse(sent, error.args[0])
        except ValueError as error:
            self._refuse(sent, error)
        return True

    def _put(self, envelope: Envelope) -> None:
        self._producer.produce(
            self._settings.topic(envelope.to),
            envelope.payload,
            envelope.key,
            headers=[*KAFKA.headers(envelope)],
            on_delivery=partial(self._delivered, self._number, envelope.id),
        )

    def _delivered(self, number: int, id: MessageId, error: KafkaError | None, _: Message) -> None:
        """Called within `poll`. A producer that was given up has nothing more to say."""
        if number != self._number or id not in self._carried:
            return
        if error is None:
            sent = self._carried.pop(id)
            self._taken.setdefault(sent.taken, []).append(id)
            if (behind := self._lanes.leave(sent)) is not None:
                self._carry(behind)
        elif not self._breaks(error):
            self._refuse(self._carried[id], error)

    def _refuse(self, sent: Sent, error: object) -> None:
        """Nothing here helps: its outbox row stays, it is sent again, and perhaps told again, with every sweep."""
        self._set_aside(sent)
        self._signals.emit("message.unsent", message=sent.id, address=sent.envelope.to, error=str(error)[:500])

    def _set_aside(self, sent: Sent) -> None:
        self._carried.pop(sent.id, None)
        self._lanes.keep(sent)

    def _breaks(self, error: KafkaError) -> bool:
        if error.fatal() or error.code() in _BREAKS:
            self._broken_at = self._broken_at or monotonic()
            self._troubles.tell(error)
            return True
        return False

    def _erred(self, number: int, error: KafkaError) -> None:
        if number == self._number and not self._breaks(error):
            self._troubles.tell(error)

    def _look_in(self, pause_s: float) -> None:
        """Not later than that."""
        if self._look is not None:
            if self._pause_s <= pause_s:
                return
            self._look.cancel()
        self._pause_s = pause_s
        self._look = asyncio.get_running_loop().call_later(pause_s, self._see)

    def _see(self) -> None:
        """Hears what was delivered, and goes on with what has had no room."""
        self._look = None
        heard = self._poll()
        self._mend()
        self._produce()
        self._report()
        if self._carried:
            self._look_in(_SOON_S if heard else min(2 * self._pause_s, _LATER_S))

    def _poll(self) -> int:
        try:
            return self._producer.poll(0)
        except KafkaException as error:  # a fatal error comes this way, too
            self._erred(self._number, error.args[0])
            return 0

    def _report(self) -> None:
        reports, self._taken = self._taken, {}
        for taken, ids in reports.items():
            taken(ids)

    def _mend(self) -> None:
        """A producer that broke for good is replaced; whatever it had not delivered goes again, in the same order."""
        if self._broken_at is not None and monotonic() >= self._broken_at + _RENEW_AFTER_S:
            self._forget_producer()
            self._producer = self._new_producer()
            self._line = deque(self._carried.values())
            self._broken_at = None

    def _new_producer(self) -> Producer:
        return Producer(self._settings.producer() | {"error_cb": partial(self._erred, self._number)})

    def _forget_producer(self) -> None:
        self._number += 1
        self._producer.purge()
        del self._producer
