"""Joining and signing in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from amends.connections import Tx
from amends.coordinator import Begin
from amends.messages import SagaId
from amends.pages import Instance
from amends.service import Service
from amends.state import ENDED, Status
from shop.users.domain import Customer, User, is_email
from shop.users.passwords import Passwords
from shop.users.sagas import NewUser, open_wallet
from shop.users.tables import add_customer, add_user, find_by_email
from shop.web import Problem, Rates
from shop.web.traces import TRACEPARENT

WALLET_WAIT_S = 5.0
WRONG_BURST = 10
WRONG_PER_S = 1 / 30


class Accounts:
    """Users come in here; wrong passwords are counted by e-mail address and network address."""

    def __init__(self, service: Service, passwords: Passwords) -> None:
        assert service.coordinator is not None, "users starts sagas: give its service their definitions"
        self._coordinator = service.coordinator
        self._storage = service.storage
        self._transact = service.transact
        self._runtime = service.runtime
        self._passwords = passwords
        self._wrong = Rates(WRONG_PER_S, WRONG_BURST)

    async def join(self, email: str, name: str, password: str) -> User:
        """A new user, with the wallet opened or about to be. Raises 400, 409 and 503."""
        if not is_email(email):
            raise Problem(400, "bad-request", "email: this is no e-mail address")
        user = User(self._coordinator.new_id(), email, name)
        await self._refuse_taken(email)
        hashed = await self._passwords.hash(password)
        async with self._opened(user.id):
            await self._add(user, hashed)
        return user

    async def enroll(self, scope: str, name: str, email: str, user_id: str = "") -> Customer:
        """A new customer of a storefront, with the wallet opened or about to be. Raises `Unavailable`."""
        new = Customer(self._coordinator.new_id(), scope, 0, name, email, user_id)

        async def add(tx: Tx) -> Customer:
            added = await add_customer(tx, new)
            begin = Begin(SagaId(new.id), NewUser(new.id, email), TRACEPARENT.get())
            await self._coordinator.start(tx, open_wallet, [begin])
            return added

        async with self._opened(new.id):
            return await self._transact(add)

    async def sign_in(self, email: str, password: str, address: str) -> User:
        """Raises 401; 429 after many wrong passwords; 503."""
        tried = f"{email.casefold()}\0{address}"
        wait = self._wrong.take(tried, self._runtime.now())
        if wait:
            raise Problem(429, "too-many-requests", "too many wrong passwords: wait", retry_after_s=wait)
        async with self._storage.reading() as reader:
            found = await find_by_email(reader, email)
        if not await self._passwords.fits(password, found[1] if found else None) or found is None:
            raise Problem(401, "wrong-credentials", "e-mail address or password is wrong")
        self._wrong.forget(tried)
        return found[0]

    @asynccontextmanager
    async def _opened(self, id: str) -> AsyncIterator[None]:
        """Waits, after the block that begins the saga of a wallet, for its end, but not for ever."""
        opened = self._runtime.signal()

        def watch(moved: Instance) -> None:
            if moved.state.status in ENDED | {Status.STUCK}:
                opened.set()

        self._coordinator.watch.add(SagaId(id), watch)
        try:
            yield
            await self._runtime.within(WALLET_WAIT_S, opened.wait())
        finally:
            self._coordinator.watch.remove(SagaId(id), watch)

    async def _refuse_taken(self, email: str) -> None:
        """Before the costly hash; the insert has the last word."""
        async with self._storage.reading() as reader:
            if await find_by_email(reader, email) is not None:
                raise _taken()

    async def _add(self, user: User, hashed: str) -> None:
        async with self._storage.transaction(self._runtime.now()) as tx:
            if not await add_user(tx, user, hashed):
                raise _taken()
            begin = Begin(SagaId(user.id), NewUser(user.id, user.email), TRACEPARENT.get())
            await self._coordinator.start(tx, open_wallet, [begin])


def _taken() -> Problem:
    return Problem(409, "email-taken", "there is a user with this e-mail address already")
