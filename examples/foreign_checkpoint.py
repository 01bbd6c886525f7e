"""Export weights that somebody else trained: bare tensors, a network of your own, and the facts that only you know.

    python examples/foreign_checkpoint.py [FOLDER]

The same on the command line:

    edgevision export stranger.pth --arch edgevision.models:resnet20 --arch-kwargs '{"num_classes": 2}' \
        --input-shape 1x3x32x32 --task classify --labels no,yes --mean 0.5,0.5,0.5 --std 0.25,0.25,0.25
"""

import sys
import tempfile
from pathlib import Path

import torch

import edgevision
from edgevision.models import resnet20

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())

# What a stranger's file looks like: wrapped twice, with the prefix that DataParallel leaves.
network = resnet20(num_classes=2)
weights = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
torch.save({"epoch": 90, "state_dict": weights}, folder / "stranger.pth")

report = edgevision.export(
    folder / "stranger.pth",
    folder / "stranger.onnx",
    arch="edgevision.models:resnet20",
    arch_options={"num_classes": 2},
    input_shape=(1, 3, 32, 32),
    metadata={
        "task": "classify",
        "labels": ["no", "yes"],
        "image": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    },
    force=True,
)
for note in report.notes:
    print(f"note: {note}")
print(f"stranger.onnx: {report.size_bytes} bytes, SQNR {report.parity.worst.sqnr_db:.0f} dB against PyTorch")
with edgevision.load(folder / "stranger.onnx") as classify:
    print(f"an untrained network's guess: {classify(Path(__file__).parent / 'pictures' / 'cat.jpg').label}")
