import pytest

from shop.delivery.domain import Slot, numbers


@pytest.mark.parametrize(
    ("given_back", "high", "count", "couriers"),
    [
        ([], 0, 1, [1]),
        ([], 5, 3, [6, 7, 8]),
        ([2, 4], 5, 1, [2]),
        ([2, 4], 5, 2, [2, 4]),
        ([2, 4], 5, 4, [2, 4, 6, 7]),
        ([2, 4], 5, 0, []),
    ],
)
def test_numbers_given_back_are_taken_first(given_back: list[int], high: int, count: int, couriers: list[int]) -> None:
    assert numbers(given_back, high, count) == couriers


def test_slot_knows_how_many_numbers_were_given_back() -> None:
    assert Slot(couriers=9, booked=3, high=5).given_back == 2
