"""The command ``edgevision``, also as ``python -m edgevision``."""

import gc
import os
import sys


def main() -> None:
    """Start the command line of :mod:`edgevision.cli.app`."""
    from edgevision.cli.interruption import end_as_interrupted, exit_code
    from edgevision.core.program_time import program_begins

    program_begins()
    _fill_closed_descriptors()
    end_as_interrupted()
    # Imports allocate much and free next to nothing: looking for garbage among it is a twentieth of the start-up, and
    # the interpreter's last look at all of it, on the way out, a tenth of a short command.
    gc.set_threshold(100_000)
    try:
        from edgevision.cli.app import main as run

        run()
    except KeyboardInterrupt as interrupt:  # before the command line was there to say so
        sys.exit(exit_code(interrupt))
    finally:
        gc.freeze()


def _fill_closed_descriptors() -> None:
    """Where a standard stream was closed, the next file to be opened would get what is printed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _leave_current_folder() -> None:
    """``python -m`` lets code of the current folder stand in for installed packages; take it off the search path.

    Where edgevision itself lies there, in a checkout, it becomes the last place.
    """
    folder = sys.path.pop(0)
    if os.path.dirname(os.path.dirname(os.path.abspath(__file__))) == os.path.abspath(folder):  # noqa: PTH100, PTH120
        sys.path.append(folder)


if __name__ == "__main__":
    if __spec__ is not None and __spec__.name == "edgevision.__main__" and not sys.flags.safe_path:
        _leave_current_folder()
    main()
