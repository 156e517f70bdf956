"""The shop: a real online shop on Amends."""
