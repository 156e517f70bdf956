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
from shop.web.keys import KeyHeader, answer_once
from shop.web.pages import After, Limit
from shop.web.problems import Answer, Problem, ProblemDetails, problem
from shop.web.rates import Rates
from shop.web.requests import MOST_BODY_BYTES, decode
from shop.web.times import rfc3339

__all__ = [
    "MOST_BODY_BYTES",
    "After",
    "Answer",
    "Gate",
    "Guest",
    "KeyHeader",
    "Limit",
    "Member",
    "Principal",
    "Problem",
    "ProblemDetails",
    "Rates",
    "Route",
    "Verifier",
    "address_of",
    "answer_once",
    "build_app",
    "decode",
    "open_to_all",
    "problem",
    "respond",
    "rfc3339",
    "signed_in",
]
