"""Processes that Lightning starts beside the user's own, to train on other devices and hosts."""

import os
import signal


def is_launched_helper() -> bool:
    """Whether this process is such a one."""
    return _is_launched_here() or os.environ.get("NODE_RANK", "0") != "0"


def leave_interruption_to_the_first() -> None:
    """Ignore Ctrl-C where Lightning started this process on the user's own host.

    A terminal sends it to all, and Lightning kills the user's own process when another ends before it.
    """
    if _is_launched_here():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _is_launched_here() -> bool:
    return os.environ.get("LOCAL_RANK", "0") != "0"
