"""A saga with what it takes to be explored beside it."""

from tests.amends.testing.exploring_cases import any_ticket, buy_ticket, mended

__all__ = ["buy_ticket", "inputs", "invariants", "migrations", "participants"]

_parts = mended()
inputs = any_ticket
participants, migrations, invariants = _parts.participants, _parts.migrations, _parts.invariants
