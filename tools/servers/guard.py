"""How a server's command is wrapped: it ends with its parent, and isn't root where root is refused."""

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path


def guarded(command: Sequence[str], last_signal: str = "KILL") -> list[str]:
    """Return the command so that, where the system can do that, it gets `last_signal` when its parent ends."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", last_signal, *command] if setpriv else list(command)


def is_root() -> bool:
    return os.geteuid() == 0


def unprivileged(command: Sequence[str]) -> list[str]:
    """Return the command so that it runs as nobody when this process is root's.

    It keeps root's way through folders that others may not enter, such as root's home and pytest's temporary ones.
    """
    if not is_root():
        return list(command)
    nobody = pwd.getpwnam("nobody")
    who = ("--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups")
    keeping = ("--inh-caps", "-all,+dac_override", "--ambient-caps", "-all,+dac_override")
    # Without this the capability doesn't count for access(2), by which initdb looks at its neighbours.
    counting = ("--securebits", "+no_setuid_fixup")
    return ["setpriv", *counting, *who, *keeping, *command]


def give_away(folder: Path) -> None:
    """Make the folder nobody's, with what is in it, when this process is root's."""
    if is_root():
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
