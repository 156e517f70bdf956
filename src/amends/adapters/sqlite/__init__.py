"""Storage in SQLite: a file a service, by apsw, which carries a current SQLite library."""

from amends.adapters.sqlite.folder import DataFolder
from amends.adapters.sqlite.storage import SqliteStorage

__all__ = ["DataFolder", "SqliteStorage"]
