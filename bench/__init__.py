"""Measures speed: `make bench`. Nothing here is asserted by a test."""
