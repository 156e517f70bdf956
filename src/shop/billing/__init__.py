"""Billing: wallets, holds on them, and the ledger."""
