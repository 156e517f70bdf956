"""What others may ask users directly: join, sign in, and the keys to check tokens with."""

from typing import NamedTuple

from amends.service import Service
from shop.users import tables
from shop.users.accounts import Accounts
from shop.users.domain import Customer, User
from shop.users.tokens import LIFETIME_S, Issuer, PublicKeys, published

__all__ = ["Customer", "PublicKeys", "SignedIn", "User", "UsersDesk"]


class SignedIn(NamedTuple):
    """Who came in, and the token that says so for `lifetime_s` seconds."""

    user: User
    access_token: str
    lifetime_s: int


class UsersDesk:
    """Users, for the shop's edges."""

    def __init__(self, service: Service, accounts: Accounts, issuer: Issuer) -> None:
        self._storage = service.storage
        self._runtime = service.runtime
        self._accounts = accounts
        self._issuer = issuer

    async def join(self, email: str, name: str, password: str) -> User:
        """A new user, with the wallet opened or about to be. Raises the `Problem`s 400, 409 and 503."""
        return await self._accounts.join(email, name, password)

    async def join_and_sign_in(self, email: str, name: str, password: str) -> SignedIn:
        """The same, and a token at once."""
        user = await self._accounts.join(email, name, password)
        return SignedIn(user, self._issuer.issue(user, self._runtime.now()), LIFETIME_S)

    async def sign_in(self, email: str, password: str, address: str) -> SignedIn:
        """`address` is where it is tried from. Raises the `Problem`s 401; 429 after many wrong passwords; 503."""
        user = await self._accounts.sign_in(email, password, address)
        return SignedIn(user, self._issuer.issue(user, self._runtime.now()), LIFETIME_S)

    async def enroll(self, scope: str, name: str, email: str, user_id: str = "") -> Customer:
        """A new customer of a storefront, numbered; the wallet has the customer's id. Raises `Unavailable`.

        With the id of a user: the customer that this user is already, if there is one.
        """
        return await self._accounts.enroll(scope, name, email, user_id)

    async def customer_for(self, scope: str, user_id: str) -> Customer | None:
        """The customer that a user is, enrolled now if need be; None when there is no such user."""
        return await self._accounts.customer_for(scope, user_id)

    async def customer(self, scope: str, key: str | int) -> Customer | None:
        """A storefront's customer by id, or by number."""
        async with self._storage.reading() as reader:
            return await tables.find_customer(reader, scope, key)

    async def customer_of_user(self, scope: str, user_id: str) -> Customer | None:
        async with self._storage.reading() as reader:
            return await tables.customer_of_user(reader, scope, user_id)

    async def jwks(self) -> PublicKeys:
        """The public keys of all tokens that may still be about."""
        async with self._storage.reading() as reader:
            return published(await tables.signing_keys(reader))
