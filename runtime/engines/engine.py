"""What every inference engine offers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.engines.assignment import Assignment

Array = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EngineOptions:
    """How to load a model.

    Attributes:
        index: which of several devices of a kind.
        threads: CPU threads; ``None`` leaves them to the engine.
        keep_memory: the buffers of one inference stay allocated for the next.
        allow_fallback: what the device cannot do runs elsewhere, instead of being an error.
        cache: what is compiled for the device is kept for the next start.
        shapes: full shapes by input, for devices that take no dynamic axes.
        flush_denormals: ONNX Runtime takes denormal numbers for zero, as it does not by itself.
        inference_precision: what CPUs compute float operators in.
    """

    index: int = 0
    threads: int | None = None
    keep_memory: bool = True
    allow_fallback: bool = False
    cache: bool = False
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    flush_denormals: bool = True
    inference_precision: InferencePrecision = InferencePrecision.FP32


class Engine(Protocol):
    """A loaded model. Use it as a context manager, or call :meth:`close`.

    Attributes:
        name: the engine and its version, as in ``ONNX Runtime 1.31.1``, and what it computes in if that is not float32.
        device: where it runs, as in ``cpu`` or ``cuda:0``.
        provider: the engine's own name of what runs the graph, as in ``CPUExecutionProvider``.
        assignment: where each node runs.
        inputs, outputs: what :meth:`run` takes and returns, in the model's order.
        concurrent: whether several threads that call :meth:`run` compute at the same time, and not one after the other.
    """

    name: str
    device: str
    provider: str
    assignment: Assignment
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    concurrent: bool

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Compute all outputs from all inputs by name.

        Raises:
            DeviceError: the device failed, for want of memory for example.
            ValueError: an input is missing, or of another shape or dtype than the model's.
        """
        ...

    def close(self) -> None:
        """Free the model's memory; the engine cannot be used any more."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Closeable:
    """Base of what holds a model: a context manager that ends with :meth:`close`."""

    concurrent = False

    def close(self) -> None:
        """Free what is held."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
