"""What memory costs: networks over frames in their form for streams, beside the same layers for single frames.

    python benchmarks/sequence_stream.py [--image-size 32 --image-size 112] [--rounds 300]

Each network, untrained, becomes a model that takes a frame and the state, as `edgevision export --part stream` writes
it, and one that takes the frame alone: its convolutions, embedding and head without anything remembered. Time is CPU
time of one thread in ONNX Runtime, both in turn, round by round.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgevision.exporters.conversion.onnx_conversion import convert_to_onnx
from edgevision.models import SEQUENCE_NETWORKS, FrameRnn, StreamedSequence, TemporalShift, build_model
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine

RUNS = 50
"""Of a model in a round."""


class FrameAlone(nn.Module):
    """The layers of a network over frames, called on a frame of which nothing is remembered."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor) -> Tensor:
        network = self.network
        if isinstance(network, FrameRnn):
            logits: Tensor = network.head(network.features(frame))
            return logits
        assert isinstance(network, TemporalShift)
        x = frame
        for strided, residual in zip(network.strided, network.residual, strict=True):
            x = strided(x)
            x = x + residual.convolution(x)
        return network.head(x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, action="append", default=None)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    print(f"{'network':<16}{'side':>5}{'stream us':>11}{'frame us':>10}  as long (95 %)")
    for side in arguments.image_size or (32, 112):
        for name in SEQUENCE_NETWORKS:
            network = build_model(name, image_size=side).eval()
            stream, alone = times(network, side, arguments.rounds)
            low, middle, high = ratio(stream, alone)
            print(
                f"{name:<16}{side:>5}{1e6 * np.median(stream):11.1f}{1e6 * np.median(alone):10.1f}"
                f"  {middle:.3f} ({low:.3f} to {high:.3f})"
            )


def times(network: nn.Module, side: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of CPU for a frame, in each round, with memory and without."""
    frame = torch.randn(1, 3, side, side)
    state = {name: torch.zeros(1, *shape) for name, shape in network.state_shapes.items()}
    with tempfile.TemporaryDirectory() as folder:
        with_memory = opened(StreamedSequence(network), {"frame": frame, **state}, Path(folder) / "stream.onnx")
        without = opened(FrameAlone(network), {"frame": frame}, Path(folder) / "alone.onnx")
        feeds = [
            {name: tensor.numpy() for name, tensor in {"frame": frame, **state}.items()},
            {"frame": frame.numpy()},
        ]
        engines = [with_memory, without]
        measured = np.array(
            [[seconds(engine, inputs) for engine, inputs in zip(engines, feeds, strict=True)] for _ in range(rounds)]
        )
        for engine in engines:
            engine.close()
    return measured[:, 0], measured[:, 1]


def opened(network: nn.Module, inputs: dict[str, Tensor], path: Path) -> Engine:
    """The network in ONNX Runtime, on one thread."""
    outputs = ["logits", *(f"next_{name}" for name in list(inputs)[1:])]
    conversion = convert_to_onnx(network, tuple(inputs.values()), input_names=list(inputs), output_names=outputs)
    path.write_bytes(conversion.model.SerializeToString())
    return open_engine(path, threads=1)


def seconds(engine: Engine, inputs: dict[str, np.ndarray]) -> float:
    """CPU seconds of one run, in the mean over some."""
    begun = time.process_time_ns()
    for _ in range(RUNS):
        engine.run(inputs)
    return (time.process_time_ns() - begun) / RUNS / 1e9


def ratio(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """How many times as long, by the medians, with its 95 % bootstrap interval over the rounds."""
    generator = np.random.default_rng(0)
    drawn = generator.integers(len(ours), size=(2000, len(ours)))
    ratios = np.median(ours[drawn], axis=1) / np.median(theirs[drawn], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(np.median(ours) / np.median(theirs)), float(high)


if __name__ == "__main__":
    main()
