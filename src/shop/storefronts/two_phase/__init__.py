"""The dialect `two-phase`: payment, warehouse and delivery vote on a purchase, whose outcome is its answer."""

from shop.storefronts.two_phase.storefront import apps, prepare

__all__ = ["apps", "prepare"]
