"""How often one may ask a storefront."""

from tests.shop.storefronts.conftest import Shop


async def test_clients_behind_one_address_do_not_stop_each_other(shop: Shop) -> None:
    answers = [await shop.client.get("/billing/account/ann") for _ in range(2_500)]
    assert {each.status_code for each in answers} == {200}
