"""Loopback ports that nobody listens on."""

import random
import socket

# Below what systems give to outgoing connections: a port stays free while its server is down.
CANDIDATES = range(15_000, 32_000)


def free_port() -> int:
    """Return a port on which a server can listen now."""
    while not _is_free(port := random.choice(CANDIDATES)):
        pass
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
