"""Orders: what was ordered, at what price, and what became of it."""
