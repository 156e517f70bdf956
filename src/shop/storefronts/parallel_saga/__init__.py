"""The dialect `parallel-saga`: participants asked in parallel, a synchronous answer; wallets whose events are told."""

from shop.storefronts.parallel_saga.storefront import apps, prepare

__all__ = ["apps", "prepare"]
