"""The users, the customers of storefronts, and the keys that sign tokens."""

from typing import NamedTuple

from amends import Migration, Tx
from amends.connections import Reader
from shop.users.domain import Customer, User, fold

MIGRATIONS = (
    Migration(
        1,
        "users",
        (
            """
            create table users (
                id text primary key,
                email text not null,
                folded_email text not null unique,
                name text not null,
                password_hash text not null,
                created_at double precision not null
            )
            """,
            """
            create table signing_keys (
                kid text primary key,
                private text not null,
                public text not null,
                created_at double precision not null
            )
            """,
        ),
    ),
    Migration(
        2,
        "customers",
        (
            """
            create table customers (
                id text primary key,
                scope text not null,
                number bigint not null,
                name text not null,
                email text not null,
                user_id text not null,
                unique (scope, number)
            )
            """,
            "create index customers_of_user on customers (user_id, scope)",
            """
            create table last_customers (
                scope text primary key,
                number bigint not null
            )
            """,
        ),
    ),
    Migration(
        3,
        "one customer a user",
        ("create unique index one_customer_of_user on customers (scope, user_id) where user_id <> ''",),
    ),
)

insert_user = """
insert into users (id, email, folded_email, name, password_hash, created_at)
values (:id, :email, :folded_email, :name, :password_hash, :created_at)
on conflict (folded_email) do nothing
"""
select_user_by_email = "select id, email, name, password_hash from users where folded_email = :folded_email"
select_user = "select id, email, name from users where id = :id"
take_customer_number = """
insert into last_customers (scope, number) values (:scope, 1)
on conflict (scope) do update set number = last_customers.number + 1
returning number
"""
insert_customer = """
insert into customers (id, scope, number, name, email, user_id)
values (:id, :scope, :number, :name, :email, :user_id)
"""
select_customer = "select id, scope, number, name, email, user_id from customers where id = :id"
select_numbered_customer = """
select id, scope, number, name, email, user_id from customers where scope = :scope and number = :number
"""
select_customer_of_user = """
select id, scope, number, name, email, user_id from customers where user_id = :user_id and scope = :scope
"""
insert_signing_key = """
insert into signing_keys (kid, private, public, created_at) values (:kid, :private, :public, :created_at)
"""
select_signing_keys = "select kid, private, public from signing_keys order by created_at, kid"


class SigningKey(NamedTuple):
    """An Ed25519 key: `private` and `public` are its raw 32 bytes, base64url without padding."""

    kid: str
    private: str
    public: str


async def add_user(tx: Tx, user: User, password_hash: str) -> bool:
    """False when the e-mail address is taken."""
    return await tx.run(insert_user, (user.id, user.email, fold(user.email), user.name, password_hash, tx.now)) == 1


async def find_by_email(reader: Reader, email: str) -> tuple[User, str] | None:
    """The user and the hash of the password."""
    rows = await reader.fetch(select_user_by_email, (fold(email),))
    return (User(*rows[0][:3]), rows[0][3]) if rows else None


async def find_user(reader: Reader, id: str) -> User | None:
    rows = await reader.fetch(select_user, (id,))
    return User(*rows[0]) if rows else None


async def add_customer(tx: Tx, customer: Customer) -> Customer:
    """The customer under the next number of its scope. Raises `Conflict` when a user's was added meanwhile."""
    [(number,)] = await tx.fetch(take_customer_number, (customer.scope,))
    numbered = customer._replace(number=number)
    await tx.run(insert_customer, numbered)
    return numbered


async def find_customer(reader: Reader, scope: str, key: str | int) -> Customer | None:
    """By id, or by number."""
    if isinstance(key, int):
        rows = await reader.fetch(select_numbered_customer, (scope, key))
    else:
        rows = await reader.fetch(select_customer, (key,))
    found = Customer(*rows[0]) if rows else None
    return found if found is None or found.scope == scope else None


async def customer_of_user(reader: Reader, scope: str, user_id: str) -> Customer | None:
    rows = await reader.fetch(select_customer_of_user, (user_id, scope))
    return Customer(*rows[0]) if rows else None


async def add_signing_key(tx: Tx, key: SigningKey) -> None:
    await tx.run(insert_signing_key, (*key, tx.now))


async def signing_keys(reader: Reader) -> list[SigningKey]:
    """The newest last."""
    return [SigningKey(*row) for row in await reader.fetch(select_signing_keys)]
