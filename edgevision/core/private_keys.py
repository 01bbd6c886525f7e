"""Private keys, which nothing prints and which no command line holds: every user of a machine can read those."""

import re

from edgevision.core.errors import InputError

PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|AGE-SECRET-KEY-1", re.IGNORECASE)
"""How a private key begins: in PEM, or of age."""


def refuse_key_itself(text: str, option: str, remedy: str) -> None:
    """Raise where ``text``, which ``option`` got, is a private key in place of where one is; the error has none of it.

    Raises:
        InputError: it is.
    """
    if PRIVATE_KEY.search(text):
        raise InputError(f"{option} got a private key itself, which no command line may hold; {remedy}")
