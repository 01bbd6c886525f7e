"""What is measured, and for how long."""

import math

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record


@record
class Settings(Record):
    """Every combination of the models with ``devices``, ``threads`` and ``batches`` is a subject of its own.

    ``devices`` without names are those of :func:`cpu_engines`: the CPU in every engine that is installed.
    ``allow_fallback`` lets the CPU do what a device cannot. ``threads`` without numbers leaves all cores to the engine.
    ``shape`` is the full shape of the first input where it has dynamic axes; the model is then loaded for it.

    A subject is measured for ``seconds`` and at least ``runs`` inferences. With ``precision``, a share as 0.02, it ends
    as soon as the interval of every subject's median is narrower than that, and after ``seconds`` however many there
    were. ``warmup`` bounds the seconds spent before, until the steady state.

    ``streams`` adds the throughput of so many inferences at once, ``end_to_end`` the way from encoded pictures to
    answers, ``profile`` the time of each operator.
    """

    devices: tuple[str, ...] = ()
    allow_fallback: bool = False
    threads: tuple[int, ...] = ()
    batches: tuple[int, ...] = (1,)
    shape: tuple[int, ...] | None = None
    seconds: float = 5.0
    runs: int = 100
    warmup: float = 3.0
    precision: float | None = None
    streams: int | None = None
    end_to_end: bool = False
    profile: bool = False
    seed: int = 0

    def check(self) -> None:
        """Refuse numbers that make no sense, before anything is loaded.

        Raises:
            InputError: which one, and what it may be.
        """
        for name, value, least in (
            ("threads", min(self.threads, default=1), 1),
            ("batch", min(self.batches, default=0), 1),
            ("runs", self.runs, 1),
            ("streams", 1 if self.streams is None else self.streams, 1),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise InputError(f"{name} must be at least {least}, not {value}")
        if self.shape is not None and self.batches not in ((1,), self.shape[:1]):
            raise InputError(f"--shape {'x'.join(map(str, self.shape))} says how large a batch is; leave --batch out")
        if not 0 < self.seconds < math.inf:
            raise InputError(f"seconds must be positive, not {self.seconds}")
        if not 0 <= self.warmup < math.inf:
            raise InputError(f"warmup must be seconds, 0 or more, not {self.warmup}")
        if self.precision is not None and not 0 < self.precision < 1:
            raise InputError(f"precision is a share of the median between 0 and 100 %, not {self.precision:.4g}")
