"""The remarks that PyTorch and its exporters make of their own insides, kept from the user."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

_logger = logging.getLogger(__name__)


@contextmanager
def quiet_torch() -> Iterator[None]:
    """Keep PyTorch's own remarks from the user, except with ``--debug``: the error says what is wrong."""
    if _logger.isEnabledFor(logging.DEBUG):
        yield
        return
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextmanager
def quiet_exporter() -> Iterator[list[warnings.WarningMessage]]:
    """Keep torch's remarks about its own insides and about torchvision, which is not needed, from the user.

    The warnings are put into the list instead.
    """
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        # It prints half a graph when it gives one up.
        with warnings.catch_warnings(record=True) as caught, redirect_stderr(io.StringIO()):
            warnings.simplefilter("always")
            yield caught
    finally:
        logging.disable(level)
