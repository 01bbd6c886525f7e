"""``python -m edgevision`` is the command ``edgevision``."""

from edgevision.cli import main

main()
