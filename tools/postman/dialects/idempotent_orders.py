"""The collection of the storefront `idempotent-orders`."""

from typing import Any

from tools.postman.items import Json, ask, collection, folder, number
from tools.postman.scripts import all_came, answers, at_once, check, fresh, watch

ABOUT = """Users with tokens place orders, once an idempotency key, and pay from an account.

Money is in minor units; every product costs 100. Every run has users of its own."""

ME = {"authorization": "Bearer {{token}}"}
OTHER = {"authorization": "Bearer {{otherToken}}"}
ACCOUNT, TRANSACTIONS = "/account/", "/balance_transactions/"
ITEMS = [{"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 1}]
PERSON = {"phone": "+1 555 0100", "last_name": "Doe", "password": "correct-horse"}
PRICED = [item | {"unit_price": 100} for item in ITEMS]


def key(name: str = "{{$randomUUID}}") -> dict[str, str]:
    return {"x-idempotency-key": name}


def transaction(type: str, amount: object, **changed: Any) -> Json:
    return {"account_id": number("account"), "type": type, "amount": amount, "currency": "USD"} | changed


def left(when: str, balance: int) -> Json:
    return ask(
        f"{when}: the account", f"GET {ACCOUNT}", headers=ME, want={".id": number("account"), ".balance": balance}
    )


def joined(name: str, email: str, token: str, account: str, before: list[str]) -> list[Json]:
    person = PERSON | {"email": email, "first_name": name}
    mine = {"authorization": f"Bearer {{{{{token}}}}}"}
    return [
        ask(
            f"{name} registers",
            "POST /register/",
            body=person,
            status=201,
            keep={token: ".access_token"},
            before=before,
        ),
        ask(
            f"{name} has an account",
            f"GET {ACCOUNT}",
            headers=mine,
            want={".balance": 0},
            keep={account: ".id"},
            tests=[check("of one's own", "(answer.user_id).to.be.a('number')")],
        ),
    ]


def beginning() -> Json:
    return folder(
        "Beginning",
        "Two users register; one tops the account up.",
        ask("Alive", "GET /liveness/"),
        *joined("Ann", "{{run}}@shop.example", "token", "account", fresh(run="r-")),
        *joined("Bob", "bob-{{run}}@shop.example", "otherToken", "otherAccount", []),
        ask(
            "Ann tops up 10000",
            f"POST {TRANSACTIONS}",
            headers=ME,
            body=transaction("charge", 10_000),
            status=201,
            want={".type": "charge", ".amount": 10_000},
            tests=[
                check("a number", "(answer.id).to.be.a('number')"),
                check("a known status", "(answer.status).to.be.oneOf(['available', 'pending'])"),
            ],
        ),
        left("After the top-up", 10_000),
    )


def orders() -> Json:
    first: dict[str, Any] = {"headers": ME | key("one-{{run}}"), "body": {"items": ITEMS}, "status": 201}
    again = [
        item
        for nth in (2, 3)
        for item in (
            ask(
                f"The same key, time {nth}: the same order",
                "POST /orders/",
                **first,
                want={".id": number("order"), ".status": "complete"},
            ),
            left(f"After time {nth}", 9_800),
        )
    ]
    return folder(
        "Orders",
        "One order a key, whoever asks again; one that can't be paid is cancelled.",
        ask(
            "Two products",
            "POST /orders/",
            **first,
            want={".items": PRICED, ".status": "complete"},
            keep={"order": ".id"},
        ),
        left("After the first order", 9_800),
        *again,
        ask(
            "The same key with another body",
            "POST /orders/",
            headers=ME | key("one-{{run}}"),
            body={"items": ITEMS[:1]},
            status=422,
        ),
        left("After the other body", 9_800),
        ask(
            "Bob has a key of the same name: another order",
            "POST /orders/",
            headers=OTHER | key("one-{{run}}"),
            body={"items": ITEMS},
            status=201,
            want={".status": "cancelled"},
            tests=[check("another one", "(answer.id).not.to.eql(Number(pm.collectionVariables.get('order')))")],
        ),
        ask("Bob's account is as it was", f"GET {ACCOUNT}", headers=OTHER, want={".balance": 0}),
        *unpaid(),
    )


def unpaid() -> list[Json]:
    costly: dict[str, Any] = {
        "headers": ME | key("costly-{{run}}"),
        "body": {"items": [{"product_id": 3, "quantity": 99}]},
        "status": 201,
    }
    return [
        ask(
            "More than there is money for",
            "POST /orders/",
            **costly,
            want={".status": "cancelled"},
            keep={"costly": ".id"},
        ),
        left("After the costly order", 9_800),
        ask("It stays cancelled", "POST /orders/", **costly, want={".id": number("costly"), ".status": "cancelled"}),
        left("After the costly order again", 9_800),
    ]


def money() -> Json:
    def made(what: str, type: str, amount: int, balance: int) -> list[Json]:
        body = transaction(type, amount)
        asked = ask(
            what, f"POST {TRANSACTIONS}", headers=ME, body=body, status=201, want={".type": type, ".amount": amount}
        )
        return [asked, left(what, balance)]

    return folder(
        "Money",
        "Payments take it off the account, refunds give it back.",
        *made("Pay 300", "payment", 300, 9_500),
        *made("Take 100 of it back", "payment_refund", 100, 9_600),
        ask(
            "Pay more than there is", f"POST {TRANSACTIONS}", headers=ME, body=transaction("payment", 9_601), status=422
        ),
        left("After too large a payment", 9_600),
        ask(
            "Take back more than was paid",
            f"POST {TRANSACTIONS}",
            headers=ME,
            body=transaction("payment_refund", 201),
            status=422,
        ),
        left("After too large a refund", 9_600),
    )


def races() -> Json:
    complete = "const complete = answers.filter(each => each.body.status === 'complete');"
    ids = check(
        "one order", "(new Set(answers.filter(each => each.code === 201).map(each => each.body.id)).size).to.eql(1)"
    )
    scarce = [{"items": [{"product_id": 1, "quantity": 40}]}] * 5
    return folder(
        "Races",
        "The same key, and the last money, at the same time.",
        ask(
            "One key eight times at once",
            f"GET {ACCOUNT}",
            headers=ME,
            before=at_once("/orders/", [{"items": ITEMS}] * 8, headers=ME | key("race-{{run}}")),
            want={".balance": 9_400},
            tests=answers(all_came(201, 409), ids),
        ),
        ask(
            "Five orders at once, with money for two",
            f"GET {ACCOUNT}",
            headers=ME,
            before=at_once("/orders/", scarce, headers=ME | key()),
            want={".balance": 1_400},
            tests=answers(all_came(201, 409), complete, check("two are complete", "(complete.length).to.eql(2)")),
        ),
    )


def refused() -> Json:
    return folder(
        "Refused",
        "Malformed bodies, others' accounts, no token: a 4xx that says why, and nothing is changed.",
        *wrong_orders(),
        *wrong_transactions(),
        *strangers(),
        **watch(ACCOUNT, TRANSACTIONS, headers=ME),
    )


def wrong_orders() -> list[Json]:
    bad: dict[str, object] = {
        "of nothing": {"items": []},
        "of no pieces": {"items": [{"product_id": 1, "quantity": 0}]},
        "of minus one piece": {"items": [{"product_id": 1, "quantity": -1}]},
        "of a product that is text": {"items": [{"product_id": "1", "quantity": 1}]},
        "of product 0": {"items": [{"product_id": 0, "quantity": 1}]},
        "with an unknown field": {"items": ITEMS, "status": "complete"},
        "that is a list": ITEMS,
        "that is cut off": '{"items": [',
    }
    items = [
        ask(f"An order {what}", "POST /orders/", headers=ME | key(), body=body, status=400)
        for what, body in bad.items()
    ]
    items.append(ask("An order without a key", "POST /orders/", headers=ME, body={"items": ITEMS}, status=400))
    return items


def wrong_transactions() -> list[Json]:
    moved = {
        "less than nothing": transaction("charge", -1),
        "nothing": transaction("charge", 0),
        "half a unit": transaction("charge", 0.5),
        "text": transaction("charge", "100"),
        "an unknown type": transaction("gift", 100),
        "another currency": transaction("charge", 100, currency="EUR"),
    }
    cases = {f"A transaction of {what}": (400, ME, body) for what, body in moved.items()}
    charge, payment = transaction("charge", 100), transaction("payment", 100)
    cases |= {
        "Into another's account": (404, ME, charge | {"account_id": number("otherAccount")}),
        "Into an account that doesn't exist": (404, ME, charge | {"account_id": 2_000_000_000}),
        "From another's account": (404, OTHER, payment),
        "A transaction without a token": (401, {}, charge),
    }
    return [
        ask(what, f"POST {TRANSACTIONS}", headers=headers, body=body, status=status)
        for what, (status, headers, body) in cases.items()
    ]


def strangers() -> list[Json]:
    nobody = {"authorization": "Bearer nonsense"}
    person = PERSON | {"email": "{{run}}@shop.example", "first_name": "Ann"}
    fresh_one = person | {"email": "new-{{run}}@shop.example"}
    return [
        ask("An account without a token", f"GET {ACCOUNT}", status=401),
        ask("An account with a token that is none", f"GET {ACCOUNT}", headers=nobody, status=401),
        ask("An order without a token", "POST /orders/", headers=key(), body={"items": ITEMS}, status=401),
        ask("An address that is taken", "POST /register/", body=person, status=409),
        ask("An address that is none", "POST /register/", body=person | {"email": "nowhere"}, status=400),
        ask("No password", "POST /register/", body=fresh_one | {"password": ""}, status=400),
    ]


COLLECTION = collection(
    "idempotent-orders",
    ABOUT,
    [beginning(), orders(), money(), races(), refused()],
    ports={"basePort": "idempotent-orders"},
    variables=["run", "token", "otherToken", "account", "otherAccount", "order", "costly", "answers", "before"],
)
