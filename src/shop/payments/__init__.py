"""Payments: cards, through an external gateway."""
