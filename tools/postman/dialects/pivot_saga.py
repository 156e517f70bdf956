"""The collection of the storefront `pivot-saga`."""

from collections.abc import Sequence
from typing import Any

from tools.postman.items import Json, ask, collection, folder, number
from tools.postman.scripts import all_came, answers, at_once, check, until

ABOUT = """Warehouse (can be undone), payment (the pivot), notification (best effort); each fails on request.

The shop has to be started with `--faults`. Every run begins and ends with services that make no mistakes."""

PORTS = {"warehouse": "warehousePort", "payment": "paymentPort", "notification": "notificationPort"}
OK, NOT_OK = 3, 4
OVER = "answer.status >= 3"
CREATED = "2034-01-30T21:35:12.123456789+03:00"
ITEMS = [{"item_id": 10, "quantity": 2, "price": 45}, {"item_id": 15, "quantity": 1, "price": 10}]
FINE, FAILED, UNASKED, CANCELLED = "OK", "not OK.*", "not asked", "OK, cancelled"
WELL = (FINE, FINE, FINE)
UNTOLD, UNPAID, NOTHING = (FINE, FINE, FAILED), (CANCELLED, FAILED, UNASKED), (FAILED, UNASKED, UNASKED)


def order(**changed: Any) -> Json:
    sent = {"order_id": 0, "user_id": 2, "payment": 1, "notification": 1, "created_at": CREATED, "approved_at": CREATED}
    return sent | {"sum": 10_000, "items": ITEMS, "status": 1, "detail": ""} | changed


def mistakes(service: str, percent: int) -> Json:
    return ask(
        f"The {service} makes {percent} % mistakes",
        "POST /set",
        body={"mistakes": percent},
        want={".mistakes": percent},
        port=PORTS[service],
    )


def ordered(when: str, status: int, said: Sequence[str], **changed: Any) -> list[Json]:
    """An order, and what each service has answered at its end, as a pattern."""
    detail = "; ".join(f"{service}: {answer}" for service, answer in zip(PORTS, said, strict=True))
    taken = [check("a number", "(answer.order_id).to.be.a('number').above(0)")]
    sent = order(**changed)
    kept = {f".{name}": sent[name] for name in ("user_id", "payment", "notification", "created_at", "sum", "items")}
    return [
        ask(
            f"{when}: an order",
            "POST /neworder",
            body=sent,
            want={".status": 1, **kept},
            keep={"order": ".order_id"},
            tests=taken,
        ),
        ask(
            f"{when}: what became of it",
            "GET /order/{{order}}",
            before=until("/order/{{order}}", OVER),
            want={".order_id": number("order"), ".status": status, **kept},
            tests=[check("what each service has answered", f"(answer.detail).to.match(/^{detail}$/)")],
        ),
    ]


def script() -> Json:
    return folder(
        "The clients' script",
        "The services fail one after the other, from the last to the first.",
        *(mistakes(service, 0) for service in PORTS),
        *ordered("No faults", OK, WELL),
        mistakes("notification", 100),
        *ordered("Notification fails", OK, UNTOLD),
        mistakes("payment", 100),
        *ordered("Payment fails", NOT_OK, UNPAID),
        mistakes("warehouse", 100),
        *ordered("Warehouse fails", NOT_OK, NOTHING),
    )


def one_by_one() -> Json:
    return folder(
        "One by one",
        "The services get well again, from the first to the last.",
        mistakes("warehouse", 0),
        *ordered("The warehouse is well again", NOT_OK, UNPAID),
        mistakes("payment", 0),
        *ordered("Payment is well again", OK, UNTOLD),
        mistakes("notification", 0),
        *ordered("All are well again", OK, WELL),
        *ordered("By bank transfer, told by SMS", OK, WELL, payment=2, notification=2),
    )


def warehouse_alone() -> Json:
    return folder(
        "The warehouse alone",
        "Nothing has to be compensated, and payment is not asked.",
        mistakes("warehouse", 100),
        *ordered("The warehouse alone fails", NOT_OK, NOTHING),
        mistakes("warehouse", 0),
        *ordered("And is well again", OK, WELL),
    )


def races() -> Json:
    return folder(
        "Races",
        "Several orders at the same time.",
        ask(
            "Eight orders at once",
            "GET /order/{{order}}",
            before=at_once("/neworder", [order()] * 8),
            tests=answers(
                all_came(200),
                check("eight numbers", "(new Set(answers.map(each => each.body.order_id)).size).to.eql(8)"),
                "pm.collectionVariables.set('order', Math.max(...answers.map(each => each.body.order_id)));",
            ),
        ),
        ask(
            "The newest of them is good",
            "GET /order/{{order}}",
            before=until("/order/{{order}}", OVER),
            want={".order_id": number("order"), ".status": OK},
        ),
    )


def refused() -> Json:
    item = ITEMS[0]
    bad: dict[str, object] = {
        "of nothing": order(items=[]),
        "of no pieces": order(items=[item | {"quantity": 0}]),
        "at a negative price": order(items=[item | {"price": -1}]),
        "for a negative sum": order(sum=-1),
        "for nothing": order(sum=0),
        "for half a unit": order(sum=0.5),
        "paid in an unknown way": order(payment=3),
        "told in an unknown way": order(notification=0),
        "made at no time": order(created_at="today"),
        "made on 30 February": order(created_at="2034-02-30T21:35:12.123456789+03:00"),
        "with an unknown field": order(currency="USD"),
        "without a user": {name: value for name, value in order().items() if name != "user_id"},
        "that is a list": [],
        "that is cut off": '{"order_id": 0, ',
    }
    shares: dict[str, object] = {
        "101 %": {"mistakes": 101},
        "-1 %": {"mistakes": -1},
        "half a percent": {"mistakes": 0.5},
        "text": {"mistakes": "100"},
        "nothing said": {},
    }
    ports = list(PORTS.values())
    return folder(
        "Refused",
        "Malformed bodies and unknown orders: a 4xx that says why; the next order has the next number.",
        *ordered("Before", OK, WELL),
        *(ask(f"An order {what}", "POST /neworder", body=body, status=400) for what, body in bad.items()),
        *(
            ask(f"Mistakes: {what}, {port}", "POST /set", body=body, status=400, port=port)
            for what, body in shares.items()
            for port in ports
        ),
        ask("An unknown order", "GET /order/2000000000", status=404),
        ask("An order that is no number", "GET /order/first", status=[400, 404]),
        ask(
            "Nothing was registered meanwhile",
            "POST /neworder",
            body=order(),
            tests=[
                check("the next number", "(answer.order_id).to.eql(Number(pm.collectionVariables.get('order')) + 1)")
            ],
        ),
        *ordered("After", OK, WELL),
    )


COLLECTION = collection(
    "pivot-saga",
    ABOUT,
    [script(), one_by_one(), warehouse_alone(), races(), refused()],
    ports={"basePort": "pivot-saga"} | {port: f"pivot-saga/{service}" for service, port in PORTS.items()},
    variables=["order", "answers"],
)
