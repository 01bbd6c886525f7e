"""A generator in ONNX Runtime as ``torch.onnx.export`` writes it, beside the same with its ConvTransposes rewritten.

    python benchmarks/transposed_convolutions.py [--rounds 60] [--threads N]

Both sessions are timed interleaved in one process, for the DCGAN of Radford et al. 2016 (latent of 100, first layer a
transposed convolution of one pixel) and this project's, which starts with a dense layer, both of 64 pixels and with
random weights. How many times as fast comes with its 95 % interval. Times are of the wall, on all cores unless
``--threads`` says less; of one thread it is the processor's time, which other work hardly changes.
"""

import argparse
import os
import time
from functools import partial

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from edgevision.exporters.passes.transposed_convolutions import TransposedConvolutions
from edgevision.models import DcganGenerator
from edgevision.runtime.benchmark.timing import InterleavedTimer

LATENT, WIDTHS, CHANNELS = 100, (512, 256, 128, 64), 3
BATCHES = (1, 16)


def published_dcgan() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Unflatten(1, (LATENT, 1, 1))]
    before = LATENT
    for index, width in enumerate(WIDTHS):
        stride, padding = (2, 1) if index else (1, 0)
        layers += [nn.ConvTranspose2d(before, width, 4, stride, padding, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.ConvTranspose2d(before, CHANNELS, 4, 2, 1), nn.Tanh())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    clock = time.thread_time_ns if arguments.threads == 1 else time.perf_counter_ns
    torch.manual_seed(0)
    networks = {
        "published DCGAN": published_dcgan(),
        "DCGAN of edgevision": DcganGenerator(image_size=64, latent=LATENT),
    }
    print("| network | batch | plain ms | rewritten ms | times as fast | load |\n|---|---|---|---|---|---|")
    notes = {}
    for name, network in networks.items():
        randomise_statistics(network)
        plain = exported(network.eval())
        for batch in BATCHES:
            example = np.random.default_rng(0).standard_normal((batch, LATENT), np.float32)
            faster = TransposedConvolutions((example,))(plain)
            models = {"plain": plain, "rewritten": faster.model}
            notes[name, batch] = faster.notes
            sessions = {form: opened(model, arguments.threads) for form, model in models.items()}
            feeds = {plain.graph.input[0].name: example}
            timer = InterleavedTimer(
                {form: partial(session.run, None, feeds) for form, session in sessions.items()}, clock=clock
            )
            timer.measure(0, fewest=arguments.rounds)
            found = timer.speedup("rewritten", over="plain")
            interval = f"{found.ratio:.3f} ({found.low:.3f} to {found.high:.3f})"
            times = f"{found.before_ms:.2f} | {found.after_ms:.2f} | {interval}"
            print(f"| {name} | {batch} | {times} | {os.getloadavg()[0]:.1f} |", flush=True)
    for (name, batch), remarks in notes.items():
        print(f"\n{name}, batch {batch}: " + ("; ".join(remarks) or "left as it was"))


def randomise_statistics(network: nn.Module) -> None:
    """As after training: normalisation by fresh statistics would fold away without a bias."""
    for name, statistic in network.named_buffers():
        if name.endswith("running_mean"):
            statistic.normal_()
        elif name.endswith("running_var"):
            statistic.uniform_(0.5, 2.0)


def exported(network: nn.Module) -> onnx.ModelProto:
    program = torch.onnx.export(
        network,
        (torch.randn(2, LATENT),),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    return program.model_proto


def opened(model: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
