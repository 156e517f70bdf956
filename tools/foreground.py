"""Run a command so that Ctrl-C reaches it and not make: `python tools/foreground.py COMMAND [ARGUMENT ...]`.

make dies of the terminal's SIGINT, with an error line, however well its child ended. So the command gets
a process group of its own and the terminal; it stays make's child, so SIGTERM to make is passed on to it.
"""

import os
import signal
import sys


def take_terminal() -> None:
    """Become the terminal's foreground process group, if make's group is that now."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    if os.tcgetpgrp(terminal) != os.getpgrp():
        return
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(terminal, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    # make doesn't notice a suspended child: Ctrl-Z would leave the terminal with nobody.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)


if __name__ == "__main__":
    take_terminal()
    os.execv(sys.argv[1], sys.argv[1:])
