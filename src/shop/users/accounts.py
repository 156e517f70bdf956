"""Joining and signing in."""

from collections.abc import Iterator
from contextlib import contextmanager

from amends.connections import Tx
from amends.coordinator import Begin
from amends.messages import SagaId
from amends.pages import Instance
from amends.ports import Signal
from amends.service import Service
from amends.state import ENDED, Status
from shop.users.domain import Customer, User, is_email
from shop.users.passwords import Passwords
from shop.users.sagas import NewUser, open_wallet
from shop.users.tables import add_customer, add_user, customer_of_user, find_by_email, find_user
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
        with self._watched(user.id) as opened:
            await self._add(user, hashed)
            await self._runtime.within(WALLET_WAIT_S, opened.wait())
        return user

    async def enroll(self, scope: str, name: str, email: str, user_id: str = "") -> Customer:
        """A new customer of a storefront, with the wallet opened or about to be. Raises `Unavailable`.

        A user is one customer of a storefront: the one that there is, if there is one.
        """
        new = Customer(self._coordinator.new_id(), scope, 0, name, email, user_id)

        async def add(tx: Tx) -> Customer:
            known = await customer_of_user(tx, scope, user_id) if user_id else None
            if known is not None:
                return known
            added = await add_customer(tx, new)
            begin = Begin(SagaId(new.id), NewUser(new.id, email), TRACEPARENT.get())
            await self._coordinator.start(tx, open_wallet, [begin])
            return added

        with self._watched(new.id) as opened:
            customer = await self._transact(add)
            if customer.id == new.id:
                await self._runtime.within(WALLET_WAIT_S, opened.wait())
        return customer

    async def customer_for(self, scope: str, user_id: str) -> Customer | None:
        """A user as a customer of a storefront, enrolled now if need be; None when there is no such user."""
        async with self._storage.reading() as reader:
            known = await customer_of_user(reader, scope, user_id)
            user = await find_user(reader, user_id) if known is None else None
        return known if user is None else await self.enroll(scope, user.name, user.email, user.id)

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

    @contextmanager
    def _watched(self, id: str) -> Iterator[Signal]:
        """A signal that is set when the saga of a wallet, begun in the block, has ended or is stuck."""
        opened = self._runtime.signal()

        def watch(moved: Instance) -> None:
            if moved.state.status in ENDED | {Status.STUCK}:
                opened.set()

        self._coordinator.watch.add(SagaId(id), watch)
        try:
            yield opened
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
