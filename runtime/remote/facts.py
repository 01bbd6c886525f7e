"""What a board is, as its own Python tells."""

from edgevision.core.errors import DeviceError
from edgevision.core.records import Record, record

# Of a name of a host; the others are shorter.
_LONGEST = 255


@record
class BoardFacts(Record):
    """``python`` is a path there, ``bits`` those of its Python, ``has_cuda`` is of an onnxruntime of its own."""

    system: str
    python: str
    version: str
    architecture: str
    bits: int
    name: str
    free_bytes: int
    has_venv: bool
    has_cuda: bool

    def __post_init__(self) -> None:
        for text in (self.system, self.version, self.architecture, self.name):
            if len(text) > _LONGEST:
                raise ValueError(f"a fact of {len(text)} characters")

    def check(self, host: str) -> None:
        """Raise :class:`DeviceError` where no environment can be prepared."""
        if self.system != "linux":
            raise DeviceError(f"a board runs Linux, and {host!r} is {self.system!r}; run edgevision on it itself")
        if not self.has_venv:
            raise DeviceError(
                f"Python {self.version} on {host!r} lacks venv or ensurepip; sudo apt install python3-venv there"
            )
