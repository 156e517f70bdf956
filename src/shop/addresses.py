"""`addresses.json` in the data folder: where the edges listen, while they do."""

import json
import os
from pathlib import Path

FILE = "addresses.json"


class Addresses:
    """Written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def write(self, addresses: dict[str, str]) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(addresses, indent=2) + "\n")
        os.replace(fresh, self._path)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
