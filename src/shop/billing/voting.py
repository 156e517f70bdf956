"""A payment as one transaction that PostgreSQL prepares: its effect, and the account that it is made for.

What is prepared locks the rows that it has changed until the decision. With an account of its own it keeps those
waiting who pay in the same way, and nobody else.
"""

from amends import Refusal, Tx
from shop.billing.contract import HoldMoney, PreparePayment
from shop.billing.participant import capture, hold_money

REVENUE = "revenue/xa"

TABLES = (
    """
    insert into accounts (id, kind, balance_minor, held_minor, scope) values ('revenue/xa', 'revenue', 0, 0, '')
    """,
)


async def prepare_payment(tx: Tx, command: PreparePayment) -> Refusal | None:
    """The whole effect, or a refusal."""
    [answer] = await hold_money(tx, [HoldMoney(command.hold_id, command.wallet_id, command.amount_minor)])
    if isinstance(answer, Refusal):
        return answer
    await capture(tx, [command.hold_id], REVENUE)
    return None
