"""A network that has become an ONNX graph, with what to compare it on and with."""

from collections.abc import Callable
from dataclasses import dataclass

from edgevision.exporters.analysis.picture_sizes import Examples
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.runtime.engines.engine import Engine


@dataclass(frozen=True, kw_only=True)
class ConvertedNetwork:
    """The ``conversion`` of a network.

    Attributes:
        shape: of a sample of the first input, without the batch.
        examples: a sample for each input, the batch first.
        reference: opens the engine that the exported model has to agree with.
    """

    conversion: Conversion
    shape: tuple[int, ...]
    examples: Examples
    reference: Callable[[], Engine]
