"""The command ``edgevision``, also as ``python -m edgevision``."""

import gc


def main() -> None:
    """Start the command line of :mod:`edgevision.cli`."""
    # Imports allocate much and free next to nothing: looking for garbage among it is a twentieth of the start-up, and
    # the interpreter's last look at all of it, on the way out, a tenth of a short command.
    gc.set_threshold(100_000)
    try:
        from edgevision.cli import main as run

        run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
