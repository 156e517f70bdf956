"""Orders at the shop's own API: how they end, how they are taken back, and who wins a race."""

from typing import Any

from tools.postman.dialects.api_parts import (
    APPROVED,
    DECLINED,
    GOLD,
    KETTLE,
    ME,
    OPERATOR,
    ORDERS,
    SLOW,
    WAIT,
    key,
    left,
    order,
)
from tools.postman.items import Json, ask, folder
from tools.postman.scripts import all_came, answers, at_once, check, until

SUM = "const sum = answer.reduce((sum, each) => sum + each.amount_minor, 0);"


def bought() -> Json:
    first: dict[str, Any] = {"headers": ME | WAIT | key("one-{{run}}"), "body": order()}
    done = {".status": "approved", ".reason": None, ".total_minor": 1_000, ".saga.state": "completed"}
    return folder(
        "Orders that come out well",
        "From the wallet, by card; and what the same key does.",
        ask("A kettle", f"POST {ORDERS}", **first, status=201, want=done, keep={"order": ".id"}),
        *left("After the first order", 9_000, 4, 2),
        ask(
            "The same key again is the same order",
            f"POST {ORDERS}",
            **first,
            status=201,
            want={".id": "{{order}}", ".status": "approved"},
            tests=["pm.test('a replay', () => pm.response.to.have.header('idempotent-replayed', 'true'));"],
        ),
        ask(
            "The same key for two kettles is refused",
            f"POST {ORDERS}",
            headers=ME | key("one-{{run}}"),
            body=order(quantity=2),
            status=422,
            want={".type": "/problems/key-reused"},
        ),
        *left("After the replays", 9_000, 4, 2),
        ask(
            "A kettle by card",
            f"POST {ORDERS}",
            headers=ME | WAIT | key(),
            body=order(pay_with=APPROVED),
            status=201,
            want=done | {".pay_with": "card:…4242"},
        ),
        *left("After the order by card", 9_000, 3, 1),
        ask("The order", f"GET {ORDERS}/{{{{order}}}}", headers=ME, want={".id": "{{order}}", **done}),
        *looked_at(),
    )


def looked_at() -> list[Json]:
    return [
        ask(
            "Its events, to the end",
            f"GET {ORDERS}/{{{{order}}}}/events",
            headers=ME,
            tests=[
                check("steps", "(pm.response.text()).to.include('event: step')"),
                check("the end", "(pm.response.text()).to.include('event: end')"),
            ],
        ),
        ask(
            "The newest order alone",
            f"GET {ORDERS}?limit=1",
            headers=ME,
            want={".length": 1, "[0].pay_with": "card:…4242"},
        ),
        ask(
            "The ledger adds up",
            "GET /api/wallet/entries",
            headers=ME,
            tests=[SUM, check("its sum is the balance", "(sum).to.eql(9000)")],
        ),
    ]


def turned_down() -> Json:
    nobody = {"slot": "2039-01-01T00:00:00Z"}
    cases = {
        "Too little money": ("insufficient-funds", order(GOLD)),
        "Too few kettles": ("out-of-stock", order(quantity=4)),
        "No courier": ("no-courier", order() | nobody),
        "A card that is declined": ("card-declined", order(pay_with=DECLINED)),
        "Neither money nor courier: money comes first": ("insufficient-funds", order(GOLD) | nobody),
        "Neither goods nor courier: goods come first": ("out-of-stock", order(quantity=4) | nobody),
    }
    items: list[Json] = []
    for what, (reason, body) in cases.items():
        said = {".status": "rejected", ".reason": reason, ".saga.state": "compensated"}
        sent: dict[str, Any] = {"headers": ME | WAIT | key(), "body": body, "status": 201, "want": said}
        items += [ask(what, f"POST {ORDERS}", **sent, keep={"rejected": ".id"}), *left(what, 9_000, 3, 1)]
    return folder("Orders that are turned down", "Each for another reason; each leaves nothing behind.", *items)


def cancelled() -> Json:
    ending = until(f"{ORDERS}/{{{{order}}}}", "answer.status === 'cancelled'", ME)
    slow = {".status": "cancelled"}
    return folder(
        "Orders that are taken back",
        "After approval money, goods and courier come back; before it the order is turned back.",
        ask(
            "Ann takes the first order back",
            f"POST {ORDERS}/{{{{order}}}}/cancel",
            headers=ME | key("back-{{run}}"),
            status=202,
        ),
        ask("It is cancelled", f"GET {ORDERS}/{{{{order}}}}", headers=ME, before=ending, want=slow),
        *left("After it was taken back", 10_000, 4, 2),
        ask("The same key again", f"POST {ORDERS}/{{{{order}}}}/cancel", headers=ME | key("back-{{run}}"), status=202),
        *left("After the replay", 10_000, 4, 2),
        ask(
            "An order by a slow card",
            f"POST {ORDERS}",
            headers=ME | key(),
            body=order(pay_with=SLOW),
            status=202,
            want={".status": "pending"},
            keep={"order": ".id"},
            tests=[check("its place", "(pm.response.headers.get('location')).to.eql('/api/orders/' + answer.id)")],
        ),
        ask("Taken back before it is approved", f"POST {ORDERS}/{{{{order}}}}/cancel", headers=ME | key(), status=202),
        ask("It is cancelled, too", f"GET {ORDERS}/{{{{order}}}}", headers=ME, before=ending, want=slow),
        *left("After it was turned back", 10_000, 4, 2),
        ask(
            "A rejected order can't be taken back",
            f"POST {ORDERS}/{{{{rejected}}}}/cancel",
            headers=ME | key(),
            status=409,
            want={".type": "/problems/order-rejected"},
        ),
    )


def races() -> Json:
    moving = "answer.every(each => each.status !== 'pending')"
    count = "const count = status => answer.slice(0, 8).filter(each => each.status === status).length;"
    settled = until(f"{ORDERS}?limit=8", moving, ME)
    return folder(
        "Races",
        "Several requests at the same time.",
        ask(
            "The operator puts kettles for everybody on the shelf: couriers alone are scarce",
            f"PUT /ops/products/{KETTLE}",
            headers=OPERATOR,
            body={"title": "Of this run", "price_minor": 1_000, "on_hand": 13},
            want={".on_hand": 13},
            port="opsPort",
        ),
        ask(
            "Eight orders for the last two couriers: two win",
            f"GET {ORDERS}?limit=8",
            headers=ME,
            before=at_once(ORDERS, [order()] * 8, headers=ME | key(), then=settled),
            tests=[
                *answers(all_came(202)),
                count,
                check("two win", "(count('approved')).to.eql(2)"),
                check("six lose", "(count('rejected')).to.eql(6)"),
            ],
        ),
        *left("After the race for couriers", 8_000, 10, 0),
        ask(
            "The operator puts another courier on duty",
            "PUT /ops/slots/{{time}}Z",
            headers=OPERATOR,
            body={"couriers": 4},
            want={".couriers": 4},
            port="opsPort",
        ),
        ask(
            "One key eight times at once: one order",
            f"GET {ORDERS}?limit=1",
            headers=ME,
            before=at_once(ORDERS, [order()] * 8, headers=ME | key("race-{{run}}"), then=settled),
            tests=answers(
                "const taken = answers.filter(each => each.code === 202);",
                all_came(202, 409),
                check("one id", "([...new Set(taken.map(each => each.body.id))]).to.eql([answer[0].id])"),
                check("approved", "(answer[0].status).to.eql('approved')"),
            ),
        ),
        *left("After the race of one key", 7_000, 9, 0),
    )
