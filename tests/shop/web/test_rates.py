"""How often one may come, when the clock is not to be trusted."""

from shop.web import Rates


def test_clock_set_back_shuts_nobody_out_for_longer_than_an_empty_bucket_takes() -> None:
    rates = Rates(per_s=1.0, burst=2)
    rates.take("ann", now=1000.0)

    assert rates.take("ann", now=800.0) == 1.0
    assert rates.take("ann", now=801.0) == 0.0


def test_clock_set_back_gives_no_more_than_an_empty_bucket() -> None:
    rates = Rates(per_s=1 / 30, burst=10)
    tries = [rates.take("mallory", now=1000.0) for _ in range(11)]

    assert tries == [0.0] * 10 + [30.0]
    assert rates.take("mallory", now=400.0) == 30.0
