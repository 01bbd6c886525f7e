"""edgevision: from a PyTorch checkpoint to a measured answer on an edge device.

The public names are loaded when first used, so that ``import edgevision`` costs nothing.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgevision.exporters.export import export
    from edgevision.runtime.benchmark.measurement import benchmark
    from edgevision.runtime.evaluation import evaluate
    from edgevision.runtime.load import load
    from edgevision.training.train import train

# In a checkout two sub-packages stand beside this folder. They are found there, with or without the links in here that
# are for editors and type checkers, and a traceback names the files that git knows.
if __name__ != "edgevision":  # the checkout holds this folder too
    raise ImportError(f"this package is edgevision, not {__name__}")
_checkout = Path(__file__).parent.parent
if (_checkout / "pyproject.toml").is_file():
    __path__ = [str(_checkout), *__path__]

__version__ = "0.1.0"

__all__ = ["__version__", "benchmark", "evaluate", "export", "load", "train"]

_PUBLIC = {
    "benchmark": "edgevision.runtime.benchmark.measurement",
    "evaluate": "edgevision.runtime.evaluation",
    "export": "edgevision.exporters.export",
    "load": "edgevision.runtime.load",
    "train": "edgevision.training.train",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
