"""Loopback ports that nobody listens on."""

import random
import socket

# Below what systems give to outgoing connections: a port stays free while its server is down.
CANDIDATES = range(15_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """Return a port on which a server can listen now; none twice, since many servers start a while later."""
    while (port := random.choice(CANDIDATES)) in _given or not _is_free(port):
        pass
    _given.add(port)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
