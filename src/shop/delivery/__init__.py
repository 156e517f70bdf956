"""Delivery: couriers, by calendar and time slot."""
