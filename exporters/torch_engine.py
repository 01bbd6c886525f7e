"""A PyTorch network as an engine, which whatever runs a model can run as well, and an engine as a network."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgevision.core.errors import CheckpointError, InputError
from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.engine import Array, Closeable, Engine


class TorchEngine(Closeable):
    """``network`` on the CPU in fp32; its inputs and outputs are named as in the exported model."""

    device = "cpu"
    provider = "eager"
    assignment = Assignment.of("cpu", ())

    def __init__(self, network: nn.Module, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self.name = f"PyTorch {torch.__version__.split('+')[0]}"
        self.inputs = inputs
        self.outputs = outputs
        self._network: nn.Module | None = network

    @torch.inference_mode()
    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """All outputs, float32; raises as :meth:`edgevision.runtime.engines.engine.Engine.run`."""
        assert self._network is not None
        tensors = [torch.from_numpy(inputs[spec.name]) for spec in self.inputs]
        try:
            outputs = self._network(*tensors)
        except RuntimeError as error:
            raise ValueError(f"the network does not take this input: {error}") from error
        return [output.numpy() for output in flatten_outputs(outputs)]

    def close(self) -> None:
        self._network = None


class EngineNetwork(nn.Module):
    """The model on ``engine``, called like a PyTorch network; it has no derivatives."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def forward(self, *inputs: Tensor) -> Tensor:
        """The first output; :class:`InputError` where the model does not take these sizes."""
        names = [spec.name for spec in self._engine.inputs]
        arrays: list[Any] = [tensor.detach().numpy() for tensor in inputs]
        try:
            output = self._engine.run(dict(zip(names, arrays, strict=True)))[0]
        except ValueError as error:
            raise InputError(str(error)) from error
        return torch.from_numpy(output).float()


def flatten_outputs(outputs: object) -> list[torch.Tensor]:
    """The tensors a network returned, alone, in a tuple or in a dict, in the order the exporters write them."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, Mapping):
        outputs = tuple(outputs.values())
    if isinstance(outputs, tuple | list):
        return [tensor for output in outputs for tensor in flatten_outputs(output)]
    raise CheckpointError(f"the network returns {type(outputs).__name__}; an exportable one returns tensors")
