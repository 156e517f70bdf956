"""Metrics for Prometheus. Counting needs nothing; to show them needs prometheus-client, the extra `amends[prometheus]`.

meter = Meter([orders, billing], signals, runtime)
text = await meter.render()         # answer `GET /metrics` with it, as `MEDIA_TYPE`
"""

from amends.adapters.prometheus.meter import MEDIA_TYPE, Meter

__all__ = ["MEDIA_TYPE", "Meter"]
