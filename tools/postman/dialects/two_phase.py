"""The collection of the storefront `two-phase`."""

from typing import Any

from tools.postman.items import Json, ask, collection, folder
from tools.postman.scripts import all_came, answers, at_once, check, watch

ABOUT = """Payment, warehouse and delivery vote on a purchase; only if all vote yes it is committed everywhere.

Balances are in whole units and count what was committed. Every run has users of its own."""

USER, BUY = "/user/{{user}}", "/buy/user/{{user}}"
MONEY, STOCK, COURIER = "Not enough balance", "Warehouse is empty", "No courier is available"
MADE = {"": {"success": "Transaction created"}}


def purchase(price: int = 10, warehouse: int = 1, hour: int = 1, **changed: Any) -> Json:
    wanted = {"product_name": "p", "balance_change": -price, "warehouse_id": warehouse, "delivery_hour": hour}
    return wanted | changed


def left(when: str, balance: int) -> Json:
    return ask(f"{when}: the balance", f"GET {USER}", want={".balance": balance, ".name": "testName"})


def bought(what: str, balance: int, **wanted: int) -> list[Json]:
    return [ask(what, f"POST {BUY}", body=purchase(**wanted), want=MADE), left(what, balance)]


def failed(what: str, fault: str, balance: int, **wanted: int) -> list[Json]:
    return [ask(what, f"POST {BUY}", body=purchase(**wanted), want={"": {"failed": fault}}), left(what, balance)]


def new_user(balance: int, who: str = "A user") -> Json:
    body = {"name": "testName", "balance": balance}
    return ask(
        f"{who} with {balance}",
        "POST /user",
        body=body,
        keep={"user": ".id"},
        tests=[check("a number", "(answer.id).to.be.a('number').above(0)")],
    )


def script() -> Json:
    return folder(
        "The clients' script",
        "Two purchases are committed; three are not, each for another vote against it.",
        new_user(110),
        left("At the beginning", 110),
        *bought("Buy for 10", 100),
        *failed("Buy for 200", MONEY, 100, price=200),
        *failed("At warehouse 100", STOCK, 100, warehouse=100),
        *failed("At hour 23", COURIER, 100, hour=23),
        *bought("Buy for 10 again", 90),
    )


def limits() -> Json:
    return folder(
        "Limits, and several faults at once",
        "The first warehouse and hour, the last ones, and those beyond; the first of several faults is named.",
        *failed("Too expensive, at an empty warehouse, at night", MONEY, 90, price=91, warehouse=100, hour=23),
        *failed("At an empty warehouse, at night", STOCK, 90, warehouse=10, hour=18),
        *failed("At warehouse 0", STOCK, 90, warehouse=0),
        *failed("At warehouse -1", STOCK, 90, warehouse=-1),
        *failed("At hour 18", COURIER, 90, hour=18),
        *failed("At hour -1", COURIER, 90, hour=-1),
        *bought("At warehouse 9, at hour 17", 80, warehouse=9, hour=17),
        *bought("At warehouse 1, at hour 0", 70, hour=0),
        *bought("For all that is left", 0, price=70),
        *failed("For one more", MONEY, 0, price=1),
    )


def races() -> Json:
    made = "const made = answers.filter(each => each.body.success === 'Transaction created');"
    short = f"const short = answers.filter(each => each.body.failed === '{MONEY}');"
    return folder(
        "Races",
        "Eight purchases at the same time, with money for three.",
        new_user(30),
        ask(
            "Eight at once",
            f"GET {USER}",
            before=at_once(BUY, [purchase()] * 8),
            want={".balance": 0},
            tests=answers(
                all_came(200),
                made,
                short,
                check("three are made", "(made.length).to.eql(3)"),
                check("five lack money", "(short.length).to.eql(5)"),
            ),
        ),
        new_user(30, "Another user"),
        ask(
            "Too much at once, with one that is small enough",
            f"GET {USER}",
            before=at_once(BUY, [purchase(31)] * 4 + [purchase(30, hour=23)]),
            want={".balance": 30},
            tests=answers(check("none is made", "(answers.filter(each => each.body.success)).to.eql([])")),
        ),
        *bought("After that the money is free", 0, price=30),
        new_user(50, "A third user"),
    )


def refused() -> Json:
    bad: dict[str, object] = {
        "for nothing": purchase(0),
        "for less than nothing": purchase(-10),
        "for half a unit": purchase(balance_change=-0.5),
        "for text": purchase(balance_change="-10"),
        "for infinity": '{"product_name": "p", "balance_change": -1e999, "warehouse_id": 1, "delivery_hour": 1}',
        "of a product without a name": purchase(product_name=""),
        "at a warehouse that is text": purchase(warehouse_id="1"),
        "at half past one": purchase(delivery_hour=1.5),
        "with an unknown field": purchase(status="committed"),
        "without an hour": {"product_name": "p", "balance_change": -10, "warehouse_id": 1},
        "with half a body": '{"product_name": "p", ',
    }
    users: dict[str, object] = {
        "less than nothing": {"name": "testName", "balance": -1},
        "half a unit": {"name": "testName", "balance": 0.5},
        "no number": '{"name": "testName", "balance": NaN}',
        "nothing said": {"name": "testName"},
    }
    return folder(
        "Refused",
        "Malformed bodies and unknown users: a 4xx that says why, and nothing is changed.",
        *(ask(f"A purchase {what}", f"POST {BUY}", body=body, status=400) for what, body in bad.items()),
        *(ask(f"A user with {what}", "POST /user", body=body, status=400) for what, body in users.items()),
        ask("An unknown user", "GET /user/2000000000", status=404),
        ask("A user that is no number", "GET /user/ann", status=[400, 404]),
        ask("An unknown user buys", "POST /buy/user/2000000000", body=purchase(), status=404),
        **watch(USER),
    )


COLLECTION = collection(
    "two-phase",
    ABOUT,
    [script(), limits(), races(), refused()],
    ports={"basePort": "two-phase"},
    variables=["user", "answers", "before"],
)
