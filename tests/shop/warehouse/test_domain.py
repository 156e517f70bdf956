import pytest

from shop.warehouse.domain import Stock, fits, wanted


@pytest.mark.parametrize(
    ("lines", "quantities"),
    [
        ([], {}),
        ([("apple", 2)], {"apple": 2}),
        ([("apple", 2), ("pear", 1), ("apple", 3)], {"apple": 5, "pear": 1}),
        ([("apple", 0)], None),
        ([("apple", 2), ("apple", -1)], None),
    ],
)
def test_lines_of_one_sku_are_added_up(lines: list[tuple[str, int]], quantities: dict[str, int] | None) -> None:
    assert wanted(lines) == quantities


@pytest.mark.parametrize(
    ("quantities", "enough"),
    [({}, True), ({"apple": 3}, True), ({"apple": 4}, False), ({"apple": 1, "pear": 1}, False), ({"fig": 1}, False)],
)
def test_an_order_fits_when_there_is_enough_of_everything(quantities: dict[str, int], enough: bool) -> None:
    assert fits(quantities, {"apple": 3, "pear": 0}) is enough


def test_what_is_reserved_is_not_available() -> None:
    assert Stock("apple", on_hand=10, reserved=4).available == 6
