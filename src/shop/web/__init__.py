"""HTTP edges: what every one of them does the same way."""

from shop.web.app import Route, build_app
from shop.web.errors import respond
from shop.web.gate import (
    Gate,
    Guest,
    Member,
    Principal,
    Verifier,
    address_of,
    open_to_all,
    signed_in,
)
from shop.web.problems import Answer, Problem, problem, trace_of
from shop.web.rates import Rates
from shop.web.requests import MOST_BODY_BYTES, decode

__all__ = [
    "MOST_BODY_BYTES",
    "Answer",
    "Gate",
    "Guest",
    "Member",
    "Principal",
    "Problem",
    "Rates",
    "Route",
    "Verifier",
    "address_of",
    "build_app",
    "decode",
    "open_to_all",
    "problem",
    "respond",
    "signed_in",
    "trace_of",
]
