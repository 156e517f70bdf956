"""All collections, in the order in which they run."""

from tools.postman.dialects import api, idempotent_orders, parallel_saga, pivot_saga, queue_saga, two_phase

_DIALECTS = (api, queue_saga, parallel_saga, pivot_saga, idempotent_orders, two_phase)
COLLECTIONS = tuple(each.COLLECTION for each in _DIALECTS)
