"""The program on the page about XA runs on a real server, and prints what the page says."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.docs.pages import blocks, fenced
from tests.servers import PostgresServer

PAGE = "docs/how-to/two-phase-commit-on-postgresql.md"

pytestmark = pytest.mark.servers


async def test_program_runs_and_prints_what_the_page_says(postgres_server: PostgresServer, tmp_path: Path) -> None:
    postgres = await postgres_server(18)
    program = tmp_path / "journeys.py"
    program.write_text("".join(body for language, body in fenced(PAGE) if language == "python"), encoding="utf-8")
    server = postgres.dsn("").rstrip("/")
    ran = await asyncio.create_subprocess_exec(
        *[sys.executable, "-W", "error", "-X", "utf8", str(program), server],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, failed = await asyncio.wait_for(ran.communicate(), 60)
    [shown] = [block for block in blocks(PAGE) if block[0].startswith("blue green")]

    assert failed.decode() == ""
    assert [line.rstrip() for line in printed.decode().splitlines()] == shown
    assert await postgres.run("select gid from pg_prepared_xacts where database in ('hotel', 'plane')") == []
