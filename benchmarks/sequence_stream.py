"""What memory costs: networks over frames in their form for streams, beside the same layers for single frames.

    python benchmarks/sequence_stream.py [--image-size 32 --image-size 112] [--rounds 300]

Each network, untrained, becomes a model that takes a frame and the state, as `edgevision export --part stream` writes
it, and one that takes the frame alone: its convolutions, embedding and head without anything remembered. The first is
called as `edgevision run sequence` calls it, the second as any model (`frame`), and with its buffers bound as the first
has them (`bound`). Time is CPU time of one thread in ONNX Runtime, all three in turn, round by round.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgevision.exporters.conversion.onnx_conversion import convert_to_onnx
from edgevision.models import SEQUENCE_NETWORKS, FrameRnn, StreamedSequence, TemporalShift, build_model
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.engines.state_loop import CarriedState, open_state_loop

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
    beside = "".join(f"{f'as long as {name} (95 %)':>28}" for name in ("frame", "bound"))
    print(f"{'network':<16}{'side':>5}{'stream us':>11}{'frame us':>10}{'bound us':>10}{beside}")
    for side in arguments.image_size or (32, 112):
        for name in SEQUENCE_NETWORKS:
            network = build_model(name, image_size=side).eval()
            stream, *alone = times(network, side, arguments.rounds)
            figures = "".join(f"{1e6 * np.median(found):10.1f}" for found in (stream, *alone))
            words = ("{1:.3f} ({0:.3f} to {2:.3f})".format(*ratio(stream, one)) for one in alone)
            print(f"{name:<16}{side:>5} {figures}" + "".join(f"{each:>28}" for each in words), flush=True)


def times(network: nn.Module, side: int, rounds: int) -> np.ndarray:
    """Seconds of CPU for a frame (3, rounds): with memory, without, and without in bound buffers."""
    frame = torch.randn(1, 3, side, side)
    state = {name: torch.zeros(1, *one.shape) for name, one in network.states.items()}
    carried = [CarriedState(name, f"next_{name}", one.delay) for name, one in network.states.items()]
    pixels = frame.numpy()
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(StreamedSequence(network), {"frame": frame, **state}, Path(folder) / "stream.onnx") as with_memory,
        opened(FrameAlone(network), {"frame": frame}, Path(folder) / "alone.onnx") as without,
    ):
        loops = [open_state_loop(with_memory, carried), open_state_loop(without, [])]
        calls: list[Callable[[], Any]] = [
            lambda: loops[0](pixels),
            lambda: without.run({"frame": pixels}),
            lambda: loops[1](pixels),
        ]
        return np.array([[seconds(call) for call in calls] for _ in range(rounds)]).T


def opened(network: nn.Module, inputs: dict[str, Tensor], path: Path) -> Engine:
    """The network in ONNX Runtime, on one thread."""
    outputs = ["logits", *(f"next_{name}" for name in list(inputs)[1:])]
    conversion = convert_to_onnx(network, tuple(inputs.values()), input_names=list(inputs), output_names=outputs)
    path.write_bytes(conversion.model.SerializeToString())
    return open_engine(path, threads=1)


def seconds(call: Callable[[], Any]) -> float:
    """CPU seconds of one call, in the mean over some."""
    begun = time.process_time_ns()
    for _ in range(RUNS):
        call()
    return (time.process_time_ns() - begun) / RUNS / 1e9


def ratio(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """How many times as long, the median of the rounds, with its 95 % bootstrap interval over them."""
    ratios = ours / theirs
    drawn = np.random.default_rng(0).integers(len(ratios), size=(2000, len(ratios)))
    low, high = np.quantile(np.median(ratios[drawn], axis=1), [0.025, 0.975])
    return float(low), float(np.median(ratios)), float(high)


if __name__ == "__main__":
    main()
