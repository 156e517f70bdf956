"""The saga of a new user: a wallet is opened at billing."""

import msgspec

from amends import Saga, retriable
from shop.billing.contract import OpenWallet


class NewUser(msgspec.Struct, frozen=True):
    """Who has joined; the wallet has the user's id."""

    user_id: str


def open_wallet_of(new: NewUser) -> OpenWallet:
    return OpenWallet(new.user_id)


open_wallet = Saga("open-wallet", NewUser, retriable("open wallet", open_wallet_of))
