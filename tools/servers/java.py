"""The Java programs that servers are made of: the jars, and how a JVM is started."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tools.servers.cache import cache_folder, digest, kept
from tools.servers.process import ServerFailed, completed

HERE = Path(__file__).parent
NEEDED_VERSION = 17
# A small heap, and what makes a start fast: see the times in docs/how-to/run-servers-without-docker.md.
FLAGS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@cache
def java_version() -> str:
    """What the JVM says about itself; empty when there is none."""
    if not (java := shutil.which("java")):
        return ""
    ran = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    return ran.stderr if ran.returncode == 0 else ""


def has_java() -> bool:
    """Whether there is a JVM that is new enough."""
    found = re.search(r'version "(\d+)', java_version())
    return found is not None and int(found[1]) >= NEEDED_VERSION


def missing_for_kafka() -> str:
    """What is missing to run Kafka and Connect, and how to get it; empty when nothing is."""
    if not has_java():
        return (
            f"there is no Java {NEEDED_VERSION} or newer: apt-get install default-jre-headless, or brew install openjdk"
        )
    if not jars_folder().exists() and not shutil.which("mvn"):
        return "Maven, which fetches the jars, is not installed: apt-get install maven, or brew install maven"
    return ""


def jars_folder() -> Path:
    """Where the jars are once they have been fetched; what pom.xml names is part of its name."""
    return cache_folder() / f"jars-{digest(_pom())}"


def archives_folder() -> Path:
    """Where class archives are once they have been made; they fit one JVM and these very jars."""
    return cache_folder() / f"classes-{digest(_pom(), java_version(), str(jars_folder()))}"


async def fetch_jars() -> Path:
    """Return the folder with the jars, which Maven has to fetch the first time."""
    if missing := missing_for_kafka():
        raise ServerFailed(missing)

    async def copy(folder: Path) -> None:
        options = ("-DincludeScope=runtime", f"-DoutputDirectory={folder}")
        await completed(["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", *options])

    return await kept(jars_folder().name, copy)


def java(main_class: str, *arguments: str, flags: Sequence[str] = ()) -> list[str]:
    """Return the command that runs a class of the jars."""
    logging = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
    return ["java", *FLAGS, *flags, logging, "-cp", f"{jars_folder()}/*", main_class, *arguments]


def archived(name: str) -> tuple[str, ...]:
    """Return the flags for a class archive, which halves the start; none when it has not been made.

    A JVM that can't use the archive starts without it.
    """
    archive = archives_folder() / f"{name}.jsa"
    return (f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ()


def archiving(name: str, folder: Path) -> tuple[str, ...]:
    """Return the flags with which a JVM writes the archive when it ends."""
    return (f"-XX:ArchiveClassesAtExit={folder / name}.jsa",)


def write_properties(path: Path, properties: dict[str, str]) -> None:
    """Write a properties file, as Java reads it."""
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8")


def _pom() -> str:
    return (HERE / "pom.xml").read_text(encoding="utf-8")
