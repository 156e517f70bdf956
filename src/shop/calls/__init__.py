"""Calls between the shop's processes: a room's desk, asked from another process as if it were here."""

from shop.calls.errors import AnswerLost, CallFailed, RoomUnavailable
from shop.calls.remote import Client, remote
from shop.calls.server import serve

__all__ = ["AnswerLost", "CallFailed", "Client", "RoomUnavailable", "remote", "serve"]
