"""The whole way on the built-in digits: train, export, check, run, measure. About a minute on two cores.

python examples/train_export_run.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import edgevision
from edgevision.training.digits import Digits

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())

    # 1. PyTorch: three conv-pool blocks on 28x28; digits may be moved a little, but not mirrored.
    checkpoint = edgevision.train(
        "classify", "digits", folder / "training", model="cnn3", epochs=6, augment=["shift"], dropout=0.2
    )
    assert checkpoint is not None

    # 2. One file that explains itself, proven to compute what the checkpoint computes.
    report = edgevision.export(checkpoint, folder / "digits.onnx")
    print(f"digits.onnx: SQNR {report.parity.worst.sqnr_db:.0f} dB against PyTorch")

    # 3. The device side: numpy, Pillow and an inference engine.
    test = Digits("test")
    with edgevision.load(folder / "digits.onnx") as classify:
        answers = classify([test.image(index) for index in range(len(test))])
    right = sum(int(answer.label) == label for answer, label in zip(answers, test.labels, strict=True))
    print(f"{right} of {len(test)} digits read correctly")

    # 4. How long that takes here.
    measured = edgevision.benchmark(folder / "digits.onnx", seconds=1)
    latency = measured.subjects[0].latency
    print(f"p50 {latency.p50_ms.value:.2f} ms, p99 {latency.p99_ms.value:.2f} ms on {measured.machine.processor}")
