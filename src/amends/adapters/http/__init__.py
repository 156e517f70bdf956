"""Commands, replies and events over HTTP: for participants and services without a broker.

coordinator ── HttpTransport ──POST──▶ participant_app ── the reply in the response
any service ── HttpTransport ──POST──▶ inbox_app ── 204 when it is durable there
"""

from amends.adapters.http.inbox import inbox_app
from amends.adapters.http.participants import participant_app
from amends.adapters.http.transport import HttpTransport

__all__ = ["HttpTransport", "inbox_app", "participant_app"]
