"""What is asked of a board only before and after a run."""

from edgevision.core.records import Record, record


@record
class BoardState(Record):
    """``cores`` are those online, ``governors`` the distinct ones. ``clocks_locked`` says whether the clocks are pinned
    (``jetson_clocks``).

    ``throttled`` and ``occurred`` are as in a :class:`Reading`; ``occurred`` is ``None`` where the board keeps no such
    memory, which is not the same as remembering nothing. ``kernel_warnings`` are the lines of the kernel's log that
    tell of voltage, current or heat; none where the log may not be read.
    """

    cores: int | None = None
    governors: tuple[str, ...] = ()
    power_mode: str | None = None
    clocks_locked: bool | None = None
    throttled: tuple[str, ...] = ()
    occurred: tuple[str, ...] | None = None
    kernel_warnings: tuple[str, ...] = ()
