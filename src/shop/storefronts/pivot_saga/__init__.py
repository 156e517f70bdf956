"""The dialect `pivot-saga`: warehouse, payment as the pivot, best-effort notification; rooms that fail on request."""

from shop.storefronts.pivot_saga.storefront import apps, prepare

__all__ = ["apps", "prepare"]
