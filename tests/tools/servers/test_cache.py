"""What is made once and kept."""

import asyncio
from pathlib import Path

import pytest

from tools.servers.cache import cache_folder, digest, kept


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("AMENDS_SERVERS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


async def test_everybody_who_asks_gets_what_the_first_one_made() -> None:
    fills = 0

    async def fill(folder: Path) -> None:
        nonlocal fills
        fills += 1
        await asyncio.sleep(0)
        (folder / "jar").write_text("classes")

    folders = await asyncio.gather(*(kept("jars", fill) for _ in range(3)))

    assert fills == 1
    assert [(folder / "jar").read_text() for folder in folders] == ["classes"] * 3


async def test_what_failed_half_way_is_made_from_the_start_again(cache: Path) -> None:
    async def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ConnectionError("the registry is away")

    async def fill(folder: Path) -> None:
        (folder / "whole").touch()

    with pytest.raises(ConnectionError):
        await kept("jars", fail)
    folder = await kept("jars", fill)

    assert folder == cache / "jars"
    assert [each.name for each in folder.iterdir()] == ["whole"]


def test_cache_is_in_the_home_folder_unless_it_is_set(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache

    monkeypatch.delenv("AMENDS_SERVERS_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "amends-servers"


def test_digest_tells_parts_apart() -> None:
    assert digest("pom", "17") == digest("pom", "17")
    assert len({digest("pom", "17"), digest("pom", "21"), digest("pom1", "7")}) == 3
