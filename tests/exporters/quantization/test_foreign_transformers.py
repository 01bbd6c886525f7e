"""Transformers as others export them: norms, GELU and attention in pieces, by both of PyTorch's exporters."""

import math
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from edgevision.exporters.passes.canonical_form import canonical
from edgevision.exporters.quantization.batches import Portions
from edgevision.exporters.quantization.calibrated import calibrated_quantizer
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.targets import find_target
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.exporters.sources.foreign_model import load_foreign_model, read_foreign_graph
from edgevision.metrics.figures import sqnr_db
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine

WIDTH, HEADS, TOKENS = 32, 4, 16


class Attention(nn.Module):
    """Of several heads; queries, keys and values by one dense layer or by three."""

    def __init__(self, *, split: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(WIDTH, WIDTH if split else 3 * WIDTH) for _ in range(3 if split else 1))
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        samples, tokens, width = x.shape
        joined = torch.cat([part(x) for part in self.parts], 2)
        q, k, v = joined.reshape(samples, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(width // HEADS)).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(samples, tokens, width))


class Transformer(nn.Module):
    """Pictures of 16 x 16 in patches of 4, one block of attention and of dense layers, ten classes."""

    def __init__(self, *, split: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 4, 4)
        self.places = nn.Parameter(torch.randn(1, TOKENS, WIDTH) / 4)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.attention = Attention(split=split)
        self.dense = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        x = x + self.attention(self.norms[0](x))
        x = x + self.dense(self.norms[1](x))
        return self.head(x.mean(1))


def export(network: nn.Module, path: Path, *, dynamo: bool, opset: int) -> None:
    example = torch.randn(2, 3, 16, 16)
    axes = {"dynamic_shapes": ({0: torch.export.Dim("n")},)} if dynamo else {"dynamic_axes": {"x": {0: "n"}}}
    with warnings.catch_warnings():
        # The older exporter is what half of the files out there were made by.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (example,),
            path,
            dynamo=dynamo,
            opset_version=opset,
            input_names=["x"],
            verbose=False,
            **axes,
        )


@pytest.mark.parametrize(
    ("dynamo", "opset", "split"), [(False, 11, True), (False, 17, False), (True, 18, True), (True, 20, False)]
)
def test_the_dense_layers_of_a_transformer_compute_in_int8(
    tmp_path: Path, dynamo: bool, opset: int, split: bool
) -> None:
    def open_model(model: onnx.ModelProto) -> Engine:
        onnx.save(model, tmp_path / "opened.onnx")
        return open_engine(tmp_path / "opened.onnx", "ort:cpu", threads=1)

    torch.manual_seed(0)
    network, file = Transformer(split=split), tmp_path / "transformer.onnx"
    export(network, file, dynamo=dynamo, opset=opset)
    model = canonical(load_foreign_model(file, read_foreign_graph(file))[0])
    inputs = np.random.default_rng(0).standard_normal((16, 3, 16, 16)).astype(np.float32)
    portions, budget = Portions([[[inputs]]]), TimeBudget(1e6)
    quantizer, _ = calibrated_quantizer(model, portions, find_target("x86-vnni"), open_model, budget)
    dense = {name for name, unit in quantizer.units.items() if unit.operator in ("Gemm", "MatMul") and unit.channels}
    assert len(dense) == sum(isinstance(module, nn.Linear) for module in network.modules())
    assert dense <= quantizer.everything.int8
    with torch.inference_mode(), open_model(quantizer(Plan(frozenset(dense)))) as engine:
        (found,) = engine.run({"x": inputs})
        assert sqnr_db(network(torch.from_numpy(inputs)).numpy(), found) > 30
