"""Importing packages that not every installation has."""

from collections.abc import Iterator
from contextlib import contextmanager

from edgevision.core.errors import DeviceError, MissingExtraError
from edgevision.core.installation import install_command


@contextmanager
def requires_extra(extra: str) -> Iterator[None]:
    """Around imports of what ``edgevision[extra]`` brings: say how to install it where they fail.

    Raises:
        MissingExtraError: a package is not there.
        DeviceError: it is there and cannot be imported, for want of a library of the system for example.
    """
    try:
        yield
    except DeviceError:  # said already, further in
        raise
    except ModuleNotFoundError as error:
        name = error.name or "edgevision"
        # A module of our own that is missing is our fault, which no installation mends.
        if name.split(".")[0] == "edgevision":
            raise
        raise MissingExtraError(name, extra) from error
    except ImportError as error:
        package = (error.name or "a package").split(".")[0]
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DeviceError(
            f"{package} is installed and cannot be imported: {reason}; if files of it are damaged, this puts it right:"
            f" {install_command(extra, options='--force-reinstall')}"
        ) from error
