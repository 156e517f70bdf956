"""What a simulated shop begins with: sown once a process by the shop's own desks, then part of every new database."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from amends.adapters.sqlite import schema
from amends.schema import Migration
from amends.testing.machines import Machine
from amends.testing.worlds import World
from shop.app import app
from shop.desks import Desks, remote_desks
from shop.orders.tables import Product
from shop.users.domain import User
from shop.users.tables import SigningKey
from shop.users.tokens import Issuer, PublicKeys, Verifier, published
from tests.simulation.shop_homes import EMBEDDED, Homes, Shape
from tests.simulation.shop_line import Line, SimulatedClient

SCOPE = "shop"
STOCK = {"apple": 400, "bread": 25, "teapot": 4}
PRICES = {"apple": 100, "bread": 350, "teapot": 2900}
WIDE_SLOT, NARROW_SLOT, NO_SLOT = "2034-05-26T16:00:00Z", "2034-05-26T18:00:00Z", "2034-05-27T04:00:00Z"
COURIERS = {WIDE_SLOT: 40, NARROW_SLOT: 3}
MONEY = {"ann": 50_000, "ben": 8_000, "cyd": 900, "dan": 20_000}
PASSWORD = "a good password"

_EARLY_S = 600
_KEY_TEXT = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()
_LIBRARYS = "select name from sqlite_master where type = 'table'"
_TABLES = "select name from sqlite_master where type = 'table' order by rowid"

client = SimulatedClient()
"""Calls whichever world is at work: one a process, for to make the desks costs more than a world."""


class Sown(Mapping[str, Sequence[Migration]]):
    """The migrations of each database, the last of which puts the seeds in; and the users by name."""

    def __init__(self, migrations: Mapping[str, Sequence[Migration]], users: Mapping[str, User]) -> None:
        self.users = dict(users)
        self._migrations = dict(migrations)
        self._names = {user.id: name for name, user in users.items()}

    def __getitem__(self, name: str) -> Sequence[Migration]:
        return self._migrations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._migrations)

    def __len__(self) -> int:
        return len(self._migrations)

    def name_of(self, user_id: str) -> str:
        return self._names.get(user_id, user_id)


@cache
def desks() -> Desks:
    """The desks of all rooms, called in the world that `client` is set to."""
    return remote_desks({room: f"sim://{room}" for room in Desks._fields[:-3]}, client)


@cache
def signing_key() -> SigningKey:
    """The same in every run."""
    public = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()
    return SigningKey("simulated", _KEY_TEXT, base64.urlsafe_b64encode(public).rstrip(b"=").decode())


@cache
def keys() -> PublicKeys:
    return published([signing_key()])


@cache
def token(user: User, period: int) -> bytes:
    """A header that lets a user in during a period of ten minutes."""
    return f"Bearer {Issuer(signing_key()).issue(user, period * _EARLY_S)}".encode()


def token_at(user: User, now: float) -> bytes:
    """Good at a time by the clock of who looks at it."""
    return token(user, int(now) // _EARLY_S)


@cache
def verifier() -> Verifier:
    """Keeps which tokens are good; what it keeps depends on no world."""
    return Verifier(keys().by_kid())


@cache
def sown() -> Sown:
    world = World(0, rates={})
    try:
        line = begin(world, EMBEDDED, app.databases)
        users = world.run(_sow(line))
        _keep_one_key(world)
        migrations = {name: (*own, _seeds(world, name, len(own) + 1)) for name, own in app.databases.items()}
        return Sown(migrations, users)
    finally:
        world.close()


def begin(
    world: World, shape: Shape, databases: Mapping[str, Sequence[Migration]], machine: Machine | None = None
) -> Line:
    """The shop's databases and processes in a world, on the machine's disk if there is one; calls go there now."""
    open_database = world.database if machine is None else machine.database
    for name in app.databases:
        open_database(name, databases[name])
    line = Line(world, shape.processes_of())
    client.line, client.wire = line, shape.wire
    Homes(world, line, shape, verifier()).open()
    return line


async def _sow(line: Line) -> dict[str, User]:
    shop = desks()
    await line.world.processes["shop"].tasks[0]
    await shop.delivery.put_calendar(SCOPE, None)
    await shop.delivery.put_slots(SCOPE, COURIERS)
    users = {name: await shop.users.join(f"{name}@shop.example", name, PASSWORD) for name in MONEY}
    for name, user in users.items():
        await shop.billing.deposit(f"{user.id}/welcome", user.id, MONEY[name])
    await shop.warehouse.put_stock(STOCK)
    await shop.orders.put_products([Product(sku, sku, price) for sku, price in PRICES.items()], SCOPE)
    return users


def _keep_one_key(world: World) -> None:
    key = signing_key()
    connection = world.databases["users"].connection
    connection.execute("update signing_keys set kid = ?, private = ?, public = ?", (key.kid, key.private, key.public))


def _seeds(world: World, name: str, nth: int) -> Migration:
    """Everything that a room's own tables hold, as a migration."""
    connection = world.databases[name].connection
    librarys = {row[0] for row in _bare().execute(_LIBRARYS)}
    tables = [row[0] for row in connection.execute(_TABLES) if row[0] not in librarys]
    return Migration(nth, "seeds", tuple(line for table in tables for line in _rows(connection, table)))


def _rows(connection: apsw.Connection, table: str) -> Iterator[str]:
    names = [row[1] for row in connection.execute(f"pragma table_info({table})")]
    for row in connection.execute(f"select {', '.join(names)} from {table}"):
        values = ", ".join(apsw.format_sql_value(value) for value in row)
        yield f"insert or replace into {table} ({', '.join(names)}) values ({values})"


@cache
def _bare() -> apsw.Connection:
    """A database that has the library's tables only."""
    connection = apsw.Connection(":memory:")
    schema.migrate(connection, "bare", ())
    return connection
