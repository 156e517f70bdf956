"""Amends: distributed transactions between services."""

from amends.connections import Tx
from amends.errors import AmendsError, DefinitionError, TryAgain
from amends.messages import Command, Done, Event, Refusal, Reply
from amends.participant import Participant
from amends.retry import Retry
from amends.saga import (
    Cause,
    Given,
    Saga,
    begun,
    best_effort,
    compensatable,
    pivot,
    retriable,
    together,
)
from amends.schema import Migration

__all__ = [
    "AmendsError",
    "Cause",
    "Command",
    "DefinitionError",
    "Done",
    "Event",
    "Given",
    "Migration",
    "Participant",
    "Refusal",
    "Reply",
    "Retry",
    "Saga",
    "TryAgain",
    "Tx",
    "begun",
    "best_effort",
    "compensatable",
    "pivot",
    "retriable",
    "together",
]
