"""The collection of the shop's own API, and of the operator's."""

from typing import Any

from tools.postman.dialects.api_orders import bought, cancelled, races, turned_down
from tools.postman.dialects.api_parts import GOLD, KETTLE, ME, OPERATOR, WALLET, key, left
from tools.postman.dialects.api_refused import operating, refused
from tools.postman.items import Json, ask, collection, folder
from tools.postman.scripts import fresh, fresh_times, until

ABOUT = """The shop's own API, and the operator's beside it.

Every run has users, products and delivery times of its own; the operator sets them, so `operatorToken` has to be filled
in: it is in `operator.token` in the shop's data folder."""


def joined(name: str, email: str, token: str, before: list[str]) -> list[Json]:
    person = {"email": email, "name": name, "password": "correct-horse"}
    credentials = {"email": email, "password": "correct-horse"}
    return [
        ask(f"{name} joins", "POST /api/users", body=person, status=201, want={".email": email}, before=before),
        ask(
            f"{name} signs in",
            "POST /api/sessions",
            body=credentials,
            status=201,
            want={".token_type": "Bearer"},
            keep={token: ".access_token"},
        ),
        ask(
            f"{name} has a wallet",
            f"GET {WALLET}",
            headers={"authorization": f"Bearer {{{{{token}}}}}"},
            before=until(WALLET, "answer.held_minor === 0", {"authorization": f"Bearer {{{{{token}}}}}"}),
            want={"": {"balance_minor": 0, "held_minor": 0, "currency": "EUR"}},
        ),
    ]


def beginning() -> Json:
    day = "pm.collectionVariables.set('day', pm.collectionVariables.get('time').slice(0, 10));"
    deposit: dict[str, Any] = {"headers": ME | key("first-{{run}}"), "body": {"amount_minor": 10_000}, "status": 201}
    return folder(
        "Beginning",
        "Two users join; the operator puts goods on the shelf and couriers on duty.",
        *joined("Ann", "{{run}}@shop.example", "token", [*fresh(run="r-"), *fresh_times("time", between="T"), day]),
        *joined("Bob", "bob-{{run}}@shop.example", "otherToken", []),
        *(
            ask(
                f"The operator puts {sku} on the shelf",
                f"PUT /ops/products/{sku}",
                headers=OPERATOR,
                body={"title": "Of this run", "price_minor": price, "on_hand": 5},
                status=201,
                want={".on_hand": 5},
                port="opsPort",
            )
            for sku, price in ((KETTLE, 1_000), (GOLD, 1_000_000))
        ),
        ask(
            "The operator puts three couriers on duty",
            "PUT /ops/slots/{{time}}Z",
            headers=OPERATOR,
            body={"couriers": 3},
            status=201,
            want={"": {"slot": "{{time}}Z", "couriers": 3}},
            port="opsPort",
        ),
        ask("Ann puts money in", "POST /api/wallet/deposits", **deposit, want={".balance_minor": 10_000}),
        ask(
            "The same key again puts nothing in",
            "POST /api/wallet/deposits",
            **deposit,
            want={".balance_minor": 10_000},
        ),
        ask(
            "The same key with another amount is refused",
            "POST /api/wallet/deposits",
            headers=ME | key("first-{{run}}"),
            body={"amount_minor": 1},
            status=422,
            want={".type": "/problems/key-reused"},
        ),
        *left("At the beginning", 10_000, 5, 3),
    )


COLLECTION = collection(
    "api",
    ABOUT,
    [beginning(), bought(), turned_down(), cancelled(), races(), refused(), operating()],
    ports={"basePort": "api", "opsPort": "ops"},
    variables=["run", "time", "day", "token", "otherToken", "order", "rejected", "answers", "before"],
    operator=True,
)
