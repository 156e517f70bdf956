"""Notifications: what would be sent to whom."""
