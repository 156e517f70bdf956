"""Writes `postman/*.json`: `python -m tools.postman.write`."""

from pathlib import Path

from tools.postman.collections import COLLECTIONS

FOLDER = Path(__file__).parents[2] / "postman"


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for each in COLLECTIONS:
        (FOLDER / f"{each.name}.json").write_text(each.text, encoding="utf-8")


if __name__ == "__main__":
    write()
