"""What the shop's own API refuses, and what the operator may do."""

from tools.postman.dialects.api_parts import (
    KETTLE,
    ME,
    OPERATOR,
    ORDERS,
    OTHER,
    PRODUCTS,
    SLOTS,
    WALLET,
    key,
    left,
    order,
)
from tools.postman.items import Json, ask, folder
from tools.postman.scripts import check, watch

DEPOSITS, CANCEL = "/api/wallet/deposits", f"{ORDERS}/{{{{order}}}}/cancel"
PROBLEM = "/problems/"
ANN = {"email": "{{run}}@shop.example", "name": "Ann", "password": "correct-horse"}


def refused() -> Json:
    return folder(
        "Refused",
        "Malformed bodies, unknown ids, no token: a 4xx that says why, and nothing is changed.",
        *wrong_orders(),
        *wrong_deposits(),
        *others(),
        *strangers(),
        ask("Slots of no day", "GET /api/slots?day=yesterday", status=400),
        ask("A list that is too long", f"GET {ORDERS}?limit=101", headers=ME, status=400),
        **watch(WALLET, "/api/wallet/entries", PRODUCTS, SLOTS, ORDERS, headers=ME),
    )


def wrong_orders() -> list[Json]:
    bad: dict[str, object] = {
        "no items": order(items=[]),
        "no pieces": order(quantity=0),
        "minus one piece": order(quantity=-1),
        "half a piece": order() | {"items": [{"sku": KETTLE, "quantity": 0.5}]},
        "no slot": {"items": [{"sku": KETTLE, "quantity": 1}]},
        "a slot that is no time": order(slot="tomorrow"),
        "an unknown way to pay": order(pay_with="beads"),
        "an unknown field": order(price_minor=1),
        "a list": [],
        "half a body": '{"items": [',
    }
    items = [
        ask(f"An order with {what}", f"POST {ORDERS}", headers=ME | key(), body=body, status=400)
        for what, body in bad.items()
    ]
    unknown = {".type": f"{PROBLEM}unknown-product"}
    moon = order("{{run}}-moon")
    items.append(ask("An unknown product", f"POST {ORDERS}", headers=ME | key(), body=moon, status=422, want=unknown))
    keyless = {".type": f"{PROBLEM}no-idempotency-key"}
    items.append(ask("An order without a key", f"POST {ORDERS}", headers=ME, body=order(), status=400, want=keyless))
    return items


def wrong_deposits() -> list[Json]:
    amounts = {"less than nothing": -1, "nothing": 0, "half a cent": 0.5, "text": "100"}
    items = [
        ask(f"A deposit of {what}", f"POST {DEPOSITS}", headers=ME | key(), body={"amount_minor": amount}, status=400)
        for what, amount in amounts.items()
    ]
    items.append(ask("A deposit without a key", f"POST {DEPOSITS}", headers=ME, body={"amount_minor": 1}, status=400))
    return items


def others() -> list[Json]:
    """What one may see of another's orders: not even that they are there."""
    unknown = {".type": f"{PROBLEM}no-such-order"}
    return [
        ask("An unknown order", f"GET {ORDERS}/{{{{$randomUUID}}}}", headers=ME, status=404, want=unknown),
        ask("Another's order", f"GET {ORDERS}/{{{{order}}}}", headers=OTHER, status=404, want=unknown),
        ask("Another's events", f"GET {ORDERS}/{{{{order}}}}/events", headers=OTHER, status=404, want=unknown),
        ask("Another's order taken back", f"POST {CANCEL}", headers=OTHER | key(), status=404, want=unknown),
        ask("Another's list is empty", f"GET {ORDERS}", headers=OTHER, want={"": []}),
    ]


def strangers() -> list[Json]:
    nobody = {"authorization": "Bearer nonsense"}
    wrong = {"email": ANN["email"], "password": "wrong-horse"}
    taken = {".type": f"{PROBLEM}email-taken"}
    return [
        *(
            ask(f"Without a token: {place}", f"GET {place}", status=401)
            for place in (WALLET, ORDERS, "/api/wallet/entries")
        ),
        ask("An order without a token", f"POST {ORDERS}", headers=key(), body=order(), status=401),
        ask("With a token that is none", f"GET {WALLET}", headers=nobody, status=401),
        ask("A wrong password", "POST /api/sessions", body=wrong, status=401),
        ask("An address that is taken", "POST /api/users", body=ANN, status=409, want=taken),
        ask("An address that is none", "POST /api/users", body=ANN | {"email": "ann"}, status=400),
    ]


def operating() -> Json:
    return folder(
        "The operator",
        "Looks at sagas, and may not take away what is taken.",
        ask(
            "Fewer couriers than are booked",
            "PUT /ops/slots/{{time}}Z",
            headers=OPERATOR,
            body={"couriers": 0},
            status=409,
            want={".type": "/problems/below-booked"},
            port="opsPort",
        ),
        ask(
            "A product at a negative price",
            f"PUT /ops/products/{KETTLE}",
            headers=OPERATOR,
            status=400,
            port="opsPort",
            body={"title": "Kettle", "price_minor": -1, "on_hand": 5},
        ),
        *sagas(),
        ask("Without the token", "GET /ops/sagas", status=401, port="opsPort"),
        ask("With a buyer's token", "GET /ops/sagas", headers=ME, status=401, port="opsPort"),
        ask("Everything is consistent", "GET /ops/check", headers=OPERATOR, want={".holds": True}, port="opsPort"),
        ask(
            "Metrics",
            "GET /metrics",
            tests=[check("of sagas", "(pm.response.text()).to.include('amends_')")],
            port="opsPort",
        ),
        ask("The shop is alive", "GET /healthz"),
        ask("It can serve", "GET /readyz"),
        ask("It describes itself", "GET /api/openapi.json", want={".info.title": "The shop"}),
        *left("At the end", 7_000, 9, 0),
    )


def sagas() -> list[Json]:
    why = {"reason": "to see that it is refused", "actor": "Olga"}
    return [
        ask(
            "The saga of an order",
            "GET /ops/sagas?q={{rejected}}",
            headers=OPERATOR,
            port="opsPort",
            want={".length": 1, "[0].id": "{{rejected}}", "[0].name": "place-order"},
        ),
        ask(
            "Its history",
            "GET /ops/sagas/{{rejected}}",
            headers=OPERATOR,
            want={".saga.id": "{{rejected}}"},
            port="opsPort",
        ),
        ask(
            "A saga that has ended can't be retried",
            "POST /ops/sagas/{{rejected}}/retry",
            headers=OPERATOR,
            body=why,
            status=409,
            want={".type": "/problems/cannot-mend"},
            port="opsPort",
        ),
        ask("An unknown saga", "GET /ops/sagas/{{$randomUUID}}", headers=OPERATOR, status=404, port="opsPort"),
    ]
