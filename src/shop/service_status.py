"""How a room tells, on the topics of a dialect, what became of a request."""

from enum import IntEnum


class ServiceStatus(IntEnum):
    ACCEPTED = 1
    OK = 2
    NOT_OK = 3
