"""The accuracy of one published checkpoint in every form it can take, and of the classifier that ships.

    python benchmarks/accuracy.py resnet20.th cifar10.zip

``resnet20.th`` is akamaster/pytorch_resnet_cifar10's (BSD-2), read with this project's own definition of the network;
``cifar10.zip`` holds ``test/CLASS/NNNN.jpg``. Prints one table: PyTorch, ONNX and OpenVINO IR, fp32 and fp16.
"""

import argparse
import tempfile
from pathlib import Path

import edgevision
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.torch_engine import TorchEngine
from edgevision.modelfiles.metadata import Precision
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.evaluation import evaluate_classifier

ARCH = "edgevision.models:resnet20"
METADATA = {
    "task": "classify",
    "labels": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    "image": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    data = ImageFolder(arguments.data, ("test",))
    print(f"{'model':<26} {'top-1 %':>8} {'F1 %':>7} {'SQNR dB':>8} {'MB':>6}")
    with tempfile.TemporaryDirectory() as folder:
        reference = None
        for format, suffix in ((ModelFormat.ONNX, ".onnx"), (ModelFormat.OPENVINO, ".xml")):
            for precision in (Precision.FP32, Precision.FP16):
                report = edgevision.export(
                    arguments.checkpoint,
                    Path(folder) / f"{precision}{suffix}",
                    format=format,
                    precision=precision,
                    arch=ARCH,
                    input_shape=(1, 3, 32, 32),
                    metadata=METADATA,
                    data=arguments.data,
                    force=True,
                )
                if reference is None:
                    network = read_checkpoint(arguments.checkpoint, arch=ARCH).network
                    reference = TorchEngine(network, report.metadata.inputs, report.metadata.outputs)
                    score(f"{arguments.checkpoint.name}, PyTorch", Classifier(reference, report.metadata), data)
                size = (report.size_bytes or 0) / 1e6
                with edgevision.load(Path(folder) / report.model) as classifier:
                    score(f"{format}, {precision}", classifier, data, report.parity.worst.sqnr_db, size)
    with edgevision.load("classify") as classifier:
        score("shipped classifier, onnx", classifier, data)


def score(
    name: str, classifier: Classifier, data: ImageFolder, sqnr_db: float | None = None, size_mb: float | None = None
) -> None:
    report = evaluate_classifier(classifier, data, quiet=True)
    figures = (f"{sqnr_db:8.1f}" if sqnr_db else " " * 8, f"{size_mb:6.2f}" if size_mb else "")
    print(f"{name:<26} {report.top1:8.2f} {report.f1:7.2f} {figures[0]} {figures[1]}", flush=True)


if __name__ == "__main__":
    main()
