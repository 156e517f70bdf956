"""The outbox of one service: messages are written in the caller's transaction and handed over after its commit.

put (in the transaction) ──commit──▶ transport.send ──taken──▶ row removed, with the next transaction
                             ├─answer lost─▶ a look at the table, soon
                             └─crash─▶ the sweep sends what is left
"""

from collections.abc import Sequence
from functools import partial

from amends.connections import Told, Tx
from amends.messages import Envelope, Kind, MessageId, encode, type_name
from amends.ports import Runtime, Storage, Transport

SWEEP_AFTER_S = 30.0
TIDY_AFTER_S = 1.0
UNSURE_AFTER_S = 1.0
_MOST = 100_000


class OutboxRelay:
    """Hands a service's messages to the transport, none lost, in order per key.

    `_unsure` are messages of transactions that have not ended as far as is known, with the times of these. Of most the
    commit is heard at once. The others were rolled back, or committed and nobody heard of it: the table tells.
    """

    def __init__(self, storage: Storage, transport: Transport, runtime: Runtime) -> None:
        self._storage = storage
        self._transport = transport
        self._runtime = runtime
        self._taken: list[MessageId] = []
        self._unsure: dict[MessageId, tuple[float, Sequence[Envelope]]] = {}
        self._sweep_at = 0.0
        self._swept_at = float("-inf")
        self._forgot_at = 0.0

    async def put(self, tx: Tx, envelopes: Sequence[Envelope]) -> None:
        """Writes messages, and what `tx` has told, in the caller's transaction; they leave when it commits."""
        if tx.told:
            envelopes = [*envelopes, *[self._event(each, tx.now) for each in tx.told]]
            tx.told.clear()
        if not envelopes:
            await self.forget(tx)
            return
        before = await self._unheard(tx, envelopes) if self._unsure else []
        await self._storage.outbox.insert(tx, envelopes, self._forgetting(tx))
        self._unsure[envelopes[0].id] = (tx.now, envelopes)
        tx.after_commit(partial(self._hand_over, envelopes, before))

    async def forget(self, tx: Tx) -> None:
        """Removes the rows of messages that the transport has taken."""
        if taken := self._forgetting(tx):
            await self._storage.outbox.remove(tx, taken)

    def _forgetting(self, tx: Tx) -> list[MessageId]:
        """What has been taken; once the transaction that removes it is committed it is not remembered any more."""
        taken = self._taken.copy()
        if taken:
            self._forgot_at = tx.now
            tx.after_commit(lambda: self._forgotten(set(taken)))
        return taken

    async def tidy(self) -> None:
        """Between hops: removes what was taken, and now and then looks for what was left."""
        now = self._runtime.now()
        await self._find_out([id for id, (at, _) in self._unsure.items() if now >= at + UNSURE_AFTER_S])
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_AFTER_S
            await self.sweep()
        elif self._taken and now >= self._forgot_at + TIDY_AFTER_S:
            async with self._storage.transaction(now) as tx:
                await self.forget(tx)

    async def sweep(self, *, everything: bool = False) -> int:
        """Sends what a crash, or a transport that was away, has left; returns how many messages.

        What the transport still carries may be sent again: consumers drop what they have seen.
        """
        now = self._runtime.now()
        self._swept_at = now if everything else self._swept_at
        async with self._storage.transaction(now) as tx:
            await self.forget(tx)
            before = now if everything else now - SWEEP_AFTER_S
            left = await self._storage.outbox.claim(tx, before, _MOST)
        self._transport.send(left, self._taken.extend)
        return len(left)

    async def take_over(self) -> None:
        """A shard has come here: what its last reader may have left is sent before anything that follows from it."""
        if self._runtime.now() >= self._swept_at + TIDY_AFTER_S:
            await self.sweep(everything=True)

    async def _unheard(self, tx: Tx, envelopes: Sequence[Envelope]) -> list[MessageId]:
        """What shares a key with these, and is committed although nobody heard of it: it has to leave before them."""
        keys = {each.key for each in envelopes}
        unsure = [id for id, (_, sent) in self._unsure.items() if any(each.key in keys for each in sent)]
        if not unsure:
            return []
        left = {each.id for each in await self._storage.outbox.left_of(tx, unsure)}
        return [id for id in unsure if id in left]

    def _hand_over(self, envelopes: Sequence[Envelope], before: Sequence[MessageId] = ()) -> None:
        for id in before:
            _, unheard = self._unsure.pop(id, (0.0, ()))
            self._transport.send(unheard, self._taken.extend)
        self._unsure.pop(envelopes[0].id, None)
        self._transport.send(envelopes, self._taken.extend)

    async def _find_out(self, unsure: Sequence[MessageId]) -> None:
        """Hands over what turns out to be committed. What may still become so is looked for again.

        Two snapshots: what has ended in the first is seen in the second.
        """
        if unsure:
            async with self._storage.reading() as reader:
                open = await self._storage.outbox.under_way(reader, unsure)
            async with self._storage.reading() as reader:
                left = {each.id for each in await self._storage.outbox.left_of(reader, unsure)}
            for id in [each for each in unsure if each in left or each not in open]:
                _, envelopes = self._unsure.pop(id, (0.0, ()))
                self._transport.send([each for each in envelopes if each.id in left], self._taken.extend)

    def _event(self, told: Told, now: float) -> Envelope:
        return Envelope(
            id=MessageId(self._runtime.new_id()),
            kind=Kind.EVENT,
            type=type_name(type(told.event)),
            to=told.event.topic,
            key=told.key,
            at=now,
            payload=encode(told.event),
            sender=self._storage.name,
        )

    def _forgotten(self, gone: set[MessageId]) -> None:
        self._taken[:] = [id for id in self._taken if id not in gone]
