"""The collection of the storefront `queue-saga`."""

from collections.abc import Sequence
from typing import Any

from tools.postman.items import Json, ask, collection, folder, number
from tools.postman.scripts import all_came, answers, at_once, check, fresh, fresh_times, until, watch

ABOUT = """Orders as sagas over queues: an order is answered at once, and what became of it is read later.

Every run has a login, a product and delivery times of its own; nobody else may order meanwhile (`GET /orders/last` is
whosever order it is)."""
RUNNING = "answer.status !== 'Pending'"
RACERS = 8
STEADY = 5
ENDS = "['Delivery Succes', 'Delivery Error', 'Not enough money', 'Not enough position quantity']"


def order(**changed: Any) -> Json:
    return {
        "login": "{{login}}",
        "e_mail": "{{login}}@shop.example",
        "id_product": number("product"),
        "quntity": 1,
        "amount": 1,
        "dtime": "{{time}}",
    } | changed


def placed(name: str, status: str, **changed: Any) -> list[Json]:
    """An order, and how it ended."""
    wanted = order(**changed)
    return [
        ask(
            name,
            "POST /orders/",
            body=wanted,
            want={".login": "{{login}}", ".amount": wanted["amount"]},
            keep={"order": ".id"},
        ),
        ask(
            f"{name}: it ends as `{status}`",
            "GET /orders/last",
            before=until("/orders/last", RUNNING),
            want={
                ".id": number("order"),
                ".status": status,
                ".login": "{{login}}",
                ".quantity": wanted["quntity"],
                ".amount": wanted["amount"],
            },
            tests=["pm.test('dtime', () => pm.expect(answer.dtime).to.match(/^[0-9-]{10}T[0-9:]{8}$/));"],
        ),
    ]


def left(when: str, balance: float, stock: int, booked: int) -> list[Json]:
    """Money, stock and bookings as they have to be."""
    apples = f"const apples = answer.filter(each => {mine()});"
    times = "const times = [pm.collectionVariables.get('time'), pm.collectionVariables.get('otherTime')];"
    ours = "const ours = answer.filter(each => times.includes(each.dtime.replace('T', ' ')));"
    return [
        ask(
            f"{when}: the balance",
            "GET /billing/account/{{login}}",
            want={"": {"login": "{{login}}", "balance": balance}},
        ),
        ask(
            f"{when}: the stock",
            "GET /stock",
            tests=[
                apples,
                f"pm.test('{stock} apples', () => pm.expect(apples.map(each => each.quantity)).to.eql([{stock}]));",
            ],
        ),
        ask(
            f"{when}: the bookings",
            "GET /delivery",
            tests=[times, ours, f"pm.test('{booked} booked', () => pm.expect(ours.length).to.eql({booked}));"],
        ),
    ]


def script() -> Json:
    """What this dialect's clients do."""
    return folder(
        "The clients' script",
        "One order comes out well; three are refused, each by another service, and leave nothing behind.",
        ask(
            "Register",
            "POST /billing/register?login={{login}}",
            before=fresh(login="ann-") + fresh_times("time", "otherTime"),
            want={"": {"login": "{{login}}", "balance": 0}},
        ),
        ask(
            "Refill 1000",
            "POST /billing/refill",
            body={"login": "{{login}}", "balance": 1000},
            want={"": {"login": "{{login}}", "balance": 1000}},
        ),
        ask(
            "Register 100 apples",
            "POST /stock/register",
            body={"description": "apple of {{login}}", "quantity": 100},
            keep={"product": ".id"},
            tests=["pm.test('a number', () => pm.expect(answer.id).to.be.a('number').above(0));"],
        ),
        *placed("1 apple for 1", "Delivery Succes"),
        *left("After the first", 999, 99, 1),
        *placed("1 apple for 10000", "Not enough money", amount=10000),
        *left("After too little money", 999, 99, 1),
        *placed("1000 apples", "Not enough position quantity", quntity=1000),
        *left("After too few apples", 999, 99, 1),
        *placed("The same time again", "Delivery Error"),
        *left("After a time that is taken", 999, 99, 1),
    )


def again() -> Json:
    return folder(
        "Again",
        "What is asked for twice.",
        ask(
            "Register the same login again: the balance stays",
            "POST /billing/register?login={{login}}",
            want={"": {"login": "{{login}}", "balance": 999}},
        ),
        ask(
            "Refill with cents",
            "POST /billing/refill",
            body={"login": "{{login}}", "balance": 0.5},
            want={".balance": 999.5},
        ),
        *placed("All that is left", "Delivery Succes", amount=999.5, quntity=99, dtime="{{otherTime}}"),
        *left("After the last apple and the last cent", 0, 0, 2),
        *placed("Nothing left to pay with", "Not enough money", dtime="2039-01-01 10:00:00"),
        *left("After nothing was left", 0, 0, 2),
    )


def races() -> Json:
    at_any = [f"210{nth}{{{{tail}}}}" for nth in range(RACERS)]
    tail = "pm.collectionVariables.set('tail', pm.collectionVariables.get('time').slice(4));"
    return folder(
        "Races",
        f"{RACERS} orders at once that are after the same time, the last pears, the last money.",
        ask(
            "Money for all",
            "POST /billing/refill",
            body={"login": "{{login}}", "balance": 16},
            before=[*fresh_times("time"), tail],
            want={".balance": 16},
        ),
        *race("The same time", 8, [order(amount=2)] * RACERS, balance=14, stock=7, won=1),
        *race("The last pears", 3, [order(dtime=each) for each in at_any], balance=11, stock=0, won=3),
        ask("Other times", "GET /orders/last", before=[*fresh_times("time"), tail]),
        *race("The last money", 8, [order(dtime=each, amount=5) for each in at_any], balance=1, stock=6, won=2),
    )


def race(what: str, pears: int, orders: Sequence[Json], *, balance: int, stock: int, won: int) -> list[Json]:
    """So many pears of their own, orders at once, and what is left when all have ended."""
    ended = until("/billing/account/{{login}}", f"answer.balance === {balance}", steady=STEADY)
    ids = "const ids = answers.map(each => each.body.id);"
    stood = check(f"{won} stand", f"(answer.filter(each => ids.includes(each.id_order)).length).to.eql({won})")
    left_over = f"const left = answer.filter(each => {mine()}).map(each => each.quantity);"
    product = {"description": f"pear of {{{{login}}}}: {what}", "quantity": pears}
    return [
        ask(f"{what}: {pears} pears", "POST /stock/register", body=product, keep={"product": ".id"}),
        ask(
            f"{what}: {len(orders)} orders at once, and the balance",
            "GET /billing/account/{{login}}",
            before=at_once("/orders/", orders, then=ended),
            want={".balance": balance},
            tests=answers(all_came(200), ids, check("each has a number", "(new Set(ids).size).to.eql(ids.length)")),
        ),
        ask(
            f"{what}: the stock", "GET /stock", tests=[left_over, check(f"{stock} pears", f"(left).to.eql([{stock}])")]
        ),
        ask(f"{what}: the bookings", "GET /delivery", tests=answers(ids, stood)),
        ask(
            f"{what}: the newest has ended",
            "GET /orders/last",
            tests=[check("it has", f"(answer.status).to.be.oneOf({ENDS})")],
        ),
    ]


def mine() -> str:
    return "each.id === Number(pm.collectionVariables.get('product'))"


def refused() -> Json:
    wrong = {
        "of an unknown login": (404, order(login="nobody-{{login}}")),
        "of an unknown product": (404, order(id_product=2_000_000_000)),
        "of no pieces": (400, order(quntity=0)),
        "of minus one piece": (400, order(quntity=-1)),
        "for a negative amount": (400, order(amount=-1)),
        "for a tenth of a cent": (400, order(amount=0.001)),
        "for text": (400, order(amount="1")),
        "at no time": (400, order(dtime="tomorrow")),
        "on 30 February": (400, order(dtime="2040-02-30 10:00:00")),
        "with a field too many": (400, order(status="Delivery Succes")),
        "with a field too few": (400, {"login": "{{login}}"}),
        "that is a list": (400, []),
        "that is cut off": (400, '{"login": "{{login}}", '),
        "for an amount that is no number": (400, '{"login": "{{login}}", "amount": NaN}'),
    }
    return folder(
        "Refused",
        "Unknown names and malformed bodies: a 4xx that says why, and nothing is changed.",
        *(ask(f"An order {what}", "POST /orders/", body=body, status=code) for what, (code, body) in wrong.items()),
        *(
            ask(f"Refill {what}", "POST /billing/refill", body=body, status=code)
            for what, (code, body) in {
                "an unknown login": (404, {"login": "nobody-{{login}}", "balance": 1}),
                "with less than nothing": (400, {"login": "{{login}}", "balance": -1}),
                "with infinity": (400, '{"login": "{{login}}", "balance": 1e999}'),
                "without an amount": (400, {"login": "{{login}}"}),
            }.items()
        ),
        ask("The account of an unknown login", "GET /billing/account/nobody-{{login}}", status=404),
        ask("Register without a login", "POST /billing/register", status=400),
        ask("Minus one apple", "POST /stock/register", body={"description": "apple", "quantity": -1}, status=400),
        ask("An apple without a name", "POST /stock/register", body={"description": "", "quantity": 1}, status=400),
        ask("There is no such path", "GET /nothing/here", status=404),
        ask("An order can't be deleted", "DELETE /orders/last", status=405),
        **watch("/billing/account/{{login}}", "/stock", "/delivery", "/orders/last"),
    )


COLLECTION = collection(
    "queue-saga",
    ABOUT,
    [script(), again(), races(), refused()],
    ports={"basePort": "queue-saga"},
    variables=["login", "time", "otherTime", "tail", "product", "order", "answers", "before"],
)
