"""A step of training in bfloat16 beside the same in float32, for every kind of network that is trained here.

    python benchmarks/training_precision.py [--rounds 12]

Forward, backward and the step of the weights on random pictures of a size that each kind is trained at, of random
weights, on one thread by its own processor time, interleaved in one process. How many times as fast comes with its 95 %
interval. What ``--precision auto`` takes on a processor rests on this.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import nn

from edgevision.models import build_model
from edgevision.runtime.benchmark.timing import InterleavedTimer
from edgevision.training.settings import MixedPrecision
from edgevision.training.trainer import lightning_precision

# The network, its options, and the shape of the batch.
CASES: dict[str, tuple[dict[str, object], tuple[int, ...]]] = {
    "resnet20": ({}, (32, 3, 32, 32)),
    "mobilenet": ({}, (32, 3, 32, 32)),
    "vit": ({}, (32, 3, 32, 32)),
    "mobilevit": ({}, (32, 3, 32, 32)),
    "cnn3": ({"in_channels": 1, "image_size": 8}, (32, 1, 8, 8)),
    "residual_gan": ({}, (32, 128)),
    "conv_vae": ({}, (32, 3, 32, 32)),
    "denoise_unet": ({}, (8, 3, 64, 64)),
    "subpixel": ({}, (8, 1, 48, 48)),
    "curves": ({}, (8, 3, 64, 64)),
    "segmentation_unet": ({"outputs": 1}, (4, 3, 128, 128)),
    "pyramid_detector": ({"num_classes": 3}, (4, 3, 128, 128)),
    "keypoint_net": ({"points": 68}, (8, 3, 96, 96)),
    "cnn_gru": ({}, (4, 8, 3, 32, 32)),
    "row_lstm": ({"in_channels": 1, "image_size": 28}, (32, 1, 28, 28)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=CASES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"--precision auto is {lightning_precision(MixedPrecision.AUTO).precision} here")
    print("| network | batch | float32 ms | bfloat16 ms | times as fast |\n|---|---|---|---|---|")
    for name in arguments.only:
        options, shape = CASES[name]
        network = build_model(name, **options)
        calls = {kind: step(network, torch.randn(shape), kind == "bfloat16") for kind in ("float32", "bfloat16")}
        timer = InterleavedTimer(calls, clock=time.thread_time_ns)
        timer.measure(0, fewest=arguments.rounds)
        gain = timer.speedup("bfloat16", over="float32")
        print(
            f"| {name} | {'x'.join(map(str, shape))} | {gain.before_ms:.1f} | {gain.after_ms:.1f} | {gain.ratio:.2f}"
            f" ({gain.low:.2f} to {gain.high:.2f}) |",
            flush=True,
        )


def step(network: nn.Module, batch: torch.Tensor, mixed: bool) -> Callable[[], object]:
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)

    def run() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            output = network(batch)
        outputs = output if isinstance(output, tuple | list) else [output]
        sum(part.float().square().mean() for part in outputs).backward()
        optimizer.step()

    return run


if __name__ == "__main__":
    main()
