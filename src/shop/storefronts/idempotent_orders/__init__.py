"""The dialect `idempotent-orders`: users with tokens, accounts, and orders that are placed once an idempotency key."""

from shop.storefronts.idempotent_orders.storefront import apps, prepare

__all__ = ["apps", "prepare"]
