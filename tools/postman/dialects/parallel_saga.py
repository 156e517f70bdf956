"""The collection of the storefront `parallel-saga`."""

from typing import Any

from tools.postman.items import Json, ask, collection, folder
from tools.postman.scripts import all_came, answers, at_once, check, fresh, until, watch

ABOUT = """Participants are asked in parallel, and the answer tells how the transaction has ended.

Beside that: records kept by hand, and wallets whose events are told by e-mail. Every run has users and items of
its own."""

SAGA = "POST /order/order/saga"
WALLET, TOLD = "/billing/billing/{{wallet}}", "/notification/notification/{{user}}"
SOON, PAST = "2034-06-26T16:00:00", "2020-06-26T16:00:00"
LINES: list[Json] = [
    {"item": "phone of {{run}}", "amount": 1, "price": 123.45},
    {"item": "case of {{run}}", "amount": 2, "price": 10.5},
]
UNKNOWN = "{{$randomUUID}}"


def wanted(**changed: Any) -> Json:
    return {"contents": LINES, "timeDelivery": SOON} | changed


def by_hand() -> Json:
    return folder(
        "Records by hand",
        "Each participant keeps what it is given; nothing else happens.",
        *kept(),
        *changed(),
    )


def kept() -> list[Json]:
    kinds: dict[str, tuple[str, str, Json, Json]] = {
        "An order": ("/order/order", "order", {"status": "PENDING", "contents": LINES[:1]}, {}),
        "A payment": ("/payment/payment", "payment", {"orderId": "{{order}}", "cost": 123.45, "status": "SUCCESS"}, {}),
        "A delivery": (
            "/delivery/delivery",
            "delivery",
            {"orderId": "{{order}}", "timeDelivery": "2034-05-26T16:00:00", "status": "SCHEDULED"},
            {"timeDelivery": "2034-05-26T16:00"},
        ),
    }
    items: list[Json] = []
    for what, (path, id, body, shown) in kinds.items():
        there = {"": {"id": f"{{{{{id}}}}}", **body, **shown}}
        fields = {f".{name}": value for name, value in (body | shown).items()}
        items += [
            ask(
                what,
                f"POST {path}",
                body=body,
                before=fresh(run="") if id == "order" else [],
                want=fields,
                keep={id: ".id"},
            ),
            ask(f"{what} is there", f"GET {path}/{{{{{id}}}}}", want=there),
        ]
    return items


def changed() -> list[Json]:
    reserved = {"orderId": "{{order}}", "item": "phone of {{run}}", "status": "RESERVED"}
    return [
        ask(
            "Two items",
            "POST /warehouse/warehouse",
            body=[reserved] * 2,
            keep={"item": "[0].id"},
            want={".length": 2, "[1].item": reserved["item"], "[1].status": "RESERVED"},
        ),
        ask("An item is there", "GET /warehouse/warehouse/{{item}}", want={"": {"id": "{{item}}", **reserved}}),
        ask(
            "An order is replaced",
            "PUT /order/order/{{order}}",
            body={"status": "SUCCESS", "contents": LINES},
            want={".status": "SUCCESS"},
        ),
        ask("The order is another", "GET /order/order/{{order}}", want={".status": "SUCCESS", ".contents": LINES}),
        ask("A payment is removed", "DELETE /payment/payment/{{payment}}", want={".id": "{{payment}}"}),
        ask("The payment is gone", "GET /payment/payment/{{payment}}", status=404),
        ask("It can't be removed again", "DELETE /payment/payment/{{payment}}", status=404),
        ask(
            "A delivery in the past",
            "POST /delivery/delivery",
            status=417,
            body={"orderId": "{{order}}", "timeDelivery": PAST, "status": "SCHEDULED"},
        ),
    ]


def transaction() -> Json:
    done = {
        "[0].status": "SUCCESS",
        "[0].contents": LINES,
        "[1].status": "SUCCESS",
        "[1].cost": 144.45,
        "[2].status": "SCHEDULED",
        "[2].timeDelivery": "2034-06-26T16:00",
        "[3].length": 2,
    }
    all_of = check("all items are reserved", "(answer[3].map(each => each.status)).to.eql(['RESERVED', 'RESERVED'])")
    one = check(
        "all parts are of one order",
        "(answer.slice(1, 3).map(each => each.orderId)).to.eql([answer[0].id, answer[0].id])",
    )
    return folder(
        "The distributed transaction",
        "All participants agree, or everything is undone.",
        ask(
            "All agree",
            SAGA,
            body=wanted(),
            want=done,
            tests=[all_of, one],
            keep={"saga": "[0].id", "payment": "[1].id", "delivery": "[2].id", "item": "[3][0].id"},
        ),
        ask("The order", "GET /order/order/{{saga}}", want={".status": "SUCCESS"}),
        ask(
            "Its payment",
            "GET /payment/payment/{{payment}}",
            want={".status": "SUCCESS", ".orderId": "{{saga}}", ".cost": 144.45},
        ),
        ask(
            "Its delivery", "GET /delivery/delivery/{{delivery}}", want={".status": "SCHEDULED", ".orderId": "{{saga}}"}
        ),
        ask("An item of it", "GET /warehouse/warehouse/{{item}}", want={".status": "RESERVED", ".orderId": "{{saga}}"}),
        *undone(),
        ask(
            "Six at once for the same time: couriers are not scarce",
            "GET /order/order/{{saga}}",
            before=at_once("/order/order/saga", [wanted()] * 6),
            tests=answers(
                all_came(200),
                check("all are good", "(answers.every(each => each.body[0].status === 'SUCCESS')).to.eql(true)"),
                check("six orders", "(new Set(answers.map(each => each.body[0].id)).size).to.eql(6)"),
            ),
        ),
    )


def undone() -> list[Json]:
    location = "pm.collectionVariables.set('undone', pm.response.headers.get('location').split('/').pop());"
    return [
        ask("Only sagas change what a saga made", "DELETE /order/order/{{saga}}", status=409),
        ask(
            "Delivery refuses a time that has passed",
            SAGA,
            body=wanted(timeDelivery=PAST),
            status=424,
            want={".status": "CANCELED"},
            tests=[location],
        ),
        ask("The order is cancelled", "GET /order/order/{{undone}}", want={".status": "CANCELED"}),
        ask("So is its payment", "GET /payment/payment/{{undone}}", want={".status": "CANCELED"}),
        ask("It has no delivery", "GET /delivery/delivery/{{undone}}", status=404),
        ask("The first order stands", "GET /order/order/{{saga}}", want={".status": "SUCCESS"}),
        ask("Its payment, too", "GET /payment/payment/{{payment}}", want={".status": "SUCCESS"}),
        ask("And its delivery", "GET /delivery/delivery/{{delivery}}", want={".status": "SCHEDULED"}),
    ]


def wallets() -> Json:
    def told(count: int) -> list[str]:
        return until(TOLD, f"answer.length >= {count}")

    def left(when: str, money: float) -> Json:
        return ask(f"{when}: the wallet", f"GET {WALLET}", want={"": {"id": "{{wallet}}", "wallet": money}})

    mail = "const ours = answer.filter(each => each.email === pm.variables.replaceIn('{{run}}@shop.example'));"
    return folder(
        "Wallets and what is told of them",
        "Four operations, of which one is refused; a notification for each.",
        ask(
            "A user",
            "POST /user/user",
            body={"name": "Maksim", "email": "{{run}}@shop.example"},
            want={".name": "Maksim", ".email": "{{run}}@shop.example"},
            keep={"user": ".id", "wallet": ".billingId"},
        ),
        ask("The wallet is open", f"GET {WALLET}", before=until(WALLET, "answer.wallet === 0"), want={".wallet": 0}),
        ask("Refill 100.20", "PUT /billing/billing/refill/{{wallet}}/100.20", want={"": {"status": True}}),
        left("After the refill", 100.2),
        ask("Buy for 48.90", "PUT /billing/billing/{{wallet}}/48.90", want={"": {"status": True}}),
        left("After the purchase", 51.3),
        ask("Buy for 148.90", "PUT /billing/billing/{{wallet}}/148.90", want={"": {"status": False}}),
        left("After the refused purchase", 51.3),
        ask(
            "Four notifications",
            f"GET {TOLD}",
            before=told(4),
            want={".length": 4},
            tests=[mail, check("all to the user's address", "(ours.length).to.eql(4)")],
        ),
        ask(
            "Buy four times at once for 15",
            f"GET {TOLD}",
            tests=[
                *answers("const paid = answers.filter(each => each.body.status);"),
                check("three can be paid", "(paid.length).to.eql(3)"),
                check("eight notifications", "(answer.length).to.eql(8)"),
            ],
            before=_buy_at_once(4, told(8)),
        ),
        left("After the race", 6.3),
    )


def _buy_at_once(times: int, then: list[str]) -> list[str]:
    lines = at_once(WALLET + "/15", [{}] * times, then=then)
    return [line.replace("method: 'POST'", "method: 'PUT'") for line in lines]


def refused() -> Json:
    line = {"item": "phone of {{run}}", "amount": 1, "price": 1}
    bad: dict[str, object] = {
        "nothing": wanted(contents=[]),
        "no pieces": wanted(contents=[line | {"amount": 0}]),
        "minus one piece": wanted(contents=[line | {"amount": -1}]),
        "a negative price": wanted(contents=[line | {"price": -1}]),
        "a price in tenths of cents": wanted(contents=[line | {"price": 0.001}]),
        "a price that is text": wanted(contents=[line | {"price": "1"}]),
        "no time": {"contents": [line]},
        "a time that is none": wanted(timeDelivery="tomorrow"),
        "an unknown field": wanted(status="SUCCESS"),
        "half a body": '{"contents": [',
    }
    places = ("/order/order", "/payment/payment", "/warehouse/warehouse", "/delivery/delivery", "/billing/billing")
    return folder(
        "Refused",
        "Malformed bodies and unknown ids: a 4xx that says why, and nothing is changed.",
        *(ask(f"A transaction with {what}", SAGA, body=body, status=400) for what, body in bad.items()),
        *(ask(f"Nothing there: {place}", f"GET {place}/{UNKNOWN}", status=404) for place in places),
        ask("Notifications of nobody", f"GET /notification/notification/{UNKNOWN}", status=404),
        ask("An id that is none", "GET /order/order/1", status=[400, 404]),
        ask("An unknown status", "POST /order/order", body={"status": "LOST", "contents": [line]}, status=400),
        ask(
            "An unknown order is replaced",
            f"PUT /order/order/{UNKNOWN}",
            body={"status": "PENDING", "contents": [line]},
            status=404,
        ),
        ask("Refill nobody's wallet", f"PUT /billing/billing/refill/{UNKNOWN}/1", status=404),
        ask("Refill less than nothing", "PUT /billing/billing/refill/{{wallet}}/-1", status=400),
        ask("Refill what is no number", "PUT /billing/billing/refill/{{wallet}}/NaN", status=400),
        ask("Buy for nothing", f"PUT {WALLET}/0", status=400),
        ask("Buy for infinity", f"PUT {WALLET}/1e999", status=400),
        ask("A user without a name", "POST /user/user", body={"name": "", "email": "{{run}}@shop.example"}, status=400),
        ask("A user without an address", "POST /user/user", body={"name": "Maksim", "email": "nowhere"}, status=400),
        **watch(WALLET, TOLD, "/order/order/{{saga}}", "/payment/payment/{{saga}}", "/delivery/delivery/{{saga}}"),
    )


COLLECTION = collection(
    "parallel-saga",
    ABOUT,
    [by_hand(), transaction(), wallets(), refused()],
    ports={"basePort": "parallel-saga"},
    variables=["run", "order", "payment", "delivery", "item", "saga", "undone", "user", "wallet", "answers", "before"],
)
