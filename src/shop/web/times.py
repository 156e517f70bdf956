"""Times on the wire."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(1024)
def rfc3339(time_s: float) -> str:
    """Unix seconds as `2034-05-26T16:00:00.123Z`."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
