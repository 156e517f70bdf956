"""The saga of a new user: notifications learns the address, then billing opens a wallet."""

import msgspec

from amends import Saga, retriable
from shop.billing.contract import OpenWallet
from shop.notifications.contract import NoteContact


class NewUser(msgspec.Struct, frozen=True):
    """Who has joined; the wallet has the user's id."""

    user_id: str
    email: str


def note_contact(new: NewUser) -> NoteContact:
    return NoteContact(new.user_id, new.email)


def open_wallet_of(new: NewUser) -> OpenWallet:
    return OpenWallet(new.user_id)


open_wallet = Saga(
    "open-wallet",
    NewUser,
    retriable("note contact", note_contact),
    retriable("open wallet", open_wallet_of),
)
