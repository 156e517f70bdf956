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
    decided,
    pivot,
    retriable,
    together,
)
from amends.schema import Migration
from amends.tcc import reservation, tcc
from amends.two_phase import two_phase, voter

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
    "decided",
    "pivot",
    "reservation",
    "retriable",
    "tcc",
    "together",
    "two_phase",
    "voter",
]
