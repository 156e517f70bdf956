"""HTTP of users: join, sign in, and the keys to check tokens with."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from shop.users.desk import PublicKeys, UsersDesk
from shop.users.domain import MOST_EMAIL
from shop.web import Guest, ProblemDetails, Route, address_of, open_to_all

_VISIBLE = r"[^@\s\u0000-\u001f\u007f-\u009f]+"
Email = Annotated[str, msgspec.Meta(min_length=3, max_length=MOST_EMAIL, pattern=f"^{_VISIBLE}@{_VISIBLE}$")]
Password = Annotated[str, msgspec.Meta(min_length=6, max_length=200)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Joining(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: Email
    name: Name
    password: Password


class UserView(msgspec.Struct, frozen=True):
    id: str
    email: str
    name: str


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: Annotated[str, msgspec.Meta(max_length=MOST_EMAIL)]
    password: Annotated[str, msgspec.Meta(max_length=200)]


class Session(msgspec.Struct, frozen=True):
    """`expires_in` is in seconds."""

    access_token: str
    token_type: str
    expires_in: int


TAKEN = ResponseSpec(ProblemDetails, description="There is a user with this e-mail address already")
BUSY = ResponseSpec(ProblemDetails, description="Too many at once: come back after `Retry-After` seconds")
WRONG = ResponseSpec(ProblemDetails, description="E-mail address or password is wrong")


def routes(users: UsersDesk) -> list[Route]:
    """`/api/users`, `/api/sessions`, `/.well-known/jwks.json`."""

    @post("/api/users", responses={409: TAKEN, 503: BUSY})
    async def join(data: JSONBody[Joining]) -> UserView:
        """Makes a user, and a wallet with it."""
        return UserView(*await users.join(data.email, data.name, data.password))

    @post("/api/sessions", responses={401: WRONG, 503: BUSY})
    async def sign_in(request: Guest, data: JSONBody[Credentials]) -> Session:
        """Gives an access token for 15 minutes."""
        signed_in = await users.sign_in(data.email, data.password, address_of(request))
        return Session(signed_in.access_token, "Bearer", signed_in.lifetime_s)

    @get("/.well-known/jwks.json")
    async def jwks() -> PublicKeys:
        """The public keys that access tokens are signed with."""
        return await users.jwks()

    return [open_to_all(join, sign_in, jwks)]
