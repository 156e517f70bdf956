"""The dialect `queue-saga`: orders as sagas over queues, answered at once, one courier a delivery time."""

from shop.storefronts.queue_saga.storefront import apps, prepare

__all__ = ["apps", "prepare"]
