"""The command ``edgevision``, also as ``python -m edgevision``."""

import gc


def main() -> None:
    """Start the command line of :mod:`edgevision.cli`."""
    # Imports allocate much and free next to nothing; looking for garbage among it takes a twentieth of the start-up.
    gc.set_threshold(100_000)
    from edgevision.cli import main as run

    run()


if __name__ == "__main__":
    main()
