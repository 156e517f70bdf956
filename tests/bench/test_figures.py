"""Figures are counted right."""

import pytest

from bench.figures import Scale, number, percentile, spread
from bench.stock import is_refused


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_percentile_is_the_value_that_so_many_do_not_exceed(share: float, expected: int) -> None:
    assert percentile(range(1, 101), share) == expected


def test_percentile_of_nothing_is_zero() -> None:
    assert percentile([], 0.99) == 0.0


def test_spread_is_least_median_most() -> None:
    assert spread([3.0, 1.0, 2.0]) == (1.0, 2.0, 3.0)


def test_scale_shrinks_counts_but_not_below_the_least() -> None:
    assert Scale(0.1).of(30_000, least=100) == 3_000
    assert Scale(0.001).of(30_000, least=100) == 100


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_refusals_are_spread_evenly(share: float) -> None:
    tens = [sum(is_refused(nth, share) for nth in range(at, at + 10)) for at in range(0, 1_000, 10)]
    assert set(tens) == {round(share * 10)}


@pytest.mark.parametrize(("value", "shown"), [(6123.4, "6,123"), (12.34, "12.3"), (0.216, "0.22")])
def test_numbers_have_as_many_digits_as_mean_something(value: float, shown: str) -> None:
    assert number(value) == shown
