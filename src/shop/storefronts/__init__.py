"""Storefronts: client dialects over the shop's rooms. Translations only; the rules are the rooms'."""
