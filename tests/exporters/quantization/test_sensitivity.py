"""What an operator costs by itself is found on as many samples as there is time for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node

from edgevision.exporters.quantization.qdq import Quantizer
from edgevision.exporters.quantization.sensitivity import noise_of_each
from edgevision.exporters.quantization.time_budget import Stage, TimeBudget
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine

Array = np.ndarray[Any, Any]


@pytest.fixture
def quantizer(build: Callable[..., onnx.ModelProto], calibrate: Callable[..., Quantizer]) -> Quantizer:
    """Of four convolutions."""
    weights = 0.3 * np.random.default_rng(0).standard_normal((4, 4, 4, 1, 1)).astype(np.float32)
    nodes = [make_node("Conv", ["x" if n == 0 else f"y{n - 1}", f"w{n}"], [f"y{n}"]) for n in range(4)]
    model = build(nodes, {f"w{n}": weight for n, weight in enumerate(weights)}, y3=None)
    return calibrate(model, np.random.default_rng(1).standard_normal((2, 4, 8, 8)).astype(np.float32))


@pytest.mark.parametrize(("seconds", "samples"), [(10_000.0, 16), (50.0, 6), (5.0, 1)])
def test_on_as_many_samples_as_every_operator_has_its_turn_with(
    quantizer: Quantizer, tmp_path: Path, seconds: float, samples: int
) -> None:
    now, sizes = [0.0], []

    def open_model(model: onnx.ModelProto) -> Engine:
        onnx.save(model, tmp_path / "model.onnx")
        engine = open_engine(tmp_path / "model.onnx", "ort:cpu", threads=1)
        run = engine.run

        def counted(inputs: Mapping[str, Array]) -> list[Array]:
            # A sample takes a second.
            sizes.append(len(inputs["x"]))
            now[0] += sizes[-1]
            return run(inputs)

        engine.run = counted  # type: ignore[method-assign]
        return engine

    budget = TimeBudget(1e6, lambda: now[0])
    budget.begin(Stage.SEARCHING)
    batches = [(np.random.default_rng(2).standard_normal((16, 4, 8, 8)).astype(np.float32),)]
    noise = noise_of_each(quantizer, list(quantizer.units.values()), batches, open_model, budget, seconds)
    assert max(sizes) == samples
    assert set(noise) == set(quantizer.units)
    assert all(0 < power < 0.1 for power in noise.values())
    assert bool(budget.left_out) == (seconds == 5.0), "five runs of one sample have no place in it"
