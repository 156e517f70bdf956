"""The warehouse: what is on hand, and what of it is reserved."""
