"""What can be set, by the command line."""

from dataclasses import dataclass
from pathlib import Path

PORTS = {"api": 8080, "ops": 8090, "queue-saga": 8101}


@dataclass(frozen=True, slots=True)
class Settings:
    """`ports` by edge; 0 takes a free one. `limit` bounds the orders in flight."""

    data: Path = Path("data")
    host: str = "127.0.0.1"
    ports: tuple[tuple[str, int], ...] = tuple(PORTS.items())
    limit: int = 20_000

    def port(self, edge: str) -> int:
        """The port of an edge; internal ones take any that is free."""
        return dict(self.ports).get(edge, 0)
