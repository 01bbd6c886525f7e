"""Where what can be made again is kept for a user."""

import os
from pathlib import Path


def user_cache() -> Path:
    """``EDGEVISION_CACHE``, else ``edgevision`` in the user's cache folder (``XDG_CACHE_HOME``, or ``~/.cache``)."""
    own = os.environ.get("EDGEVISION_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgevision"
