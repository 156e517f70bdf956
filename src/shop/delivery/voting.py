"""A booking as one transaction that PostgreSQL prepares: its effect."""

from amends import Refusal, Tx
from shop.delivery.contract import BookCourier, PrepareCourier
from shop.delivery.participant import book_courier


async def prepare_courier(tx: Tx, command: PrepareCourier) -> Refusal | None:
    """The whole effect, or a refusal."""
    [answer] = await book_courier(tx, [BookCourier(command.order_id, command.calendar, command.slot)])
    return answer if isinstance(answer, Refusal) else None
