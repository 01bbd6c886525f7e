"""How good the samples of class-conditional generators are, beside those of a variational autoencoder.

    python benchmarks/generation.py GENERATOR.pt... [--vae VAE.pt] --judge resnet20.th --data cifar10.zip

The judge is a classifier that none was trained with: resnet20 of akamaster/pytorch_resnet_cifar10. Agreement is its
top-1 for the class asked for, over 2,000 samples; the Fréchet distance compares 5,000 samples with the test pictures in
its pooled features. It is not FID, whose features are Inception's. The models are sampled as exported to ONNX, and the
samples of 64 seeds are compared between PyTorch, ONNX Runtime and OpenVINO.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

import edgevision
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.samples import seeded_batches
from edgevision.exporters.sources.network_part import NetworkPart, take_part
from edgevision.exporters.torch_engine import TorchEngine
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.tasks.generation.spec import GenerationSpec
from edgevision.training.classifier_features import ClassifierFeatures
from edgevision.training.sample_quality import SampleQuality

_AGREEING, _COMPARED = 2000, 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generators", type=Path, nargs="+")
    parser.add_argument("--vae", type=Path)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    quality = SampleQuality(_judge(arguments.judge))
    test = ImageFolder(arguments.data, ("test",))
    for start in range(0, len(test), 250):
        pictures = [np.asarray(test.image(i).convert("RGB")) for i in range(start, min(start + 250, len(test)))]
        quality.add_real(_tensor(np.stack(pictures)))
    print("| model | agreement % | Fréchet distance | precision % | recall % |\n|---|---|---|---|---|")
    models = [(path, NetworkPart.BOTH) for path in arguments.generators]
    if arguments.vae:
        models.append((arguments.vae, NetworkPart.DECODER))
    with tempfile.TemporaryDirectory() as name:
        for path, part in models:
            model = Path(name) / f"{path.stem}.onnx"
            edgevision.export(path, model, part=part)
            agreement = _agreement(model, quality)
            with edgevision.load(model) as generator:
                for batch in generator.batches(_COMPARED, seed=1):
                    quality.add_fake(_tensor(batch.pixels))
            figures = quality.compute()
            shown = "" if agreement is None else f"{agreement:.1f}"
            print(
                f"| {path.stem} | {shown} | {figures['classifier_frechet']:.2f} | {figures['sample_precision']:.1f}"
                f" | {figures['sample_recall']:.1f} |",
                flush=True,
            )
            edgevision.export(path, model.with_suffix(".xml"), part=part, format="openvino")
            for other in (model, model.with_suffix(".xml")):
                print(f"{path.stem}, {other.suffix}: SQNR {_parity(path, part, other):.1f} dB over 64 seeds")


def _judge(path: Path) -> ClassifierFeatures:
    network = read_checkpoint(path, arch="edgevision.models:resnet20").network
    image = ImageSpec(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), size=(32, 32))
    return ClassifierFeatures(network, ModelMetadata(task="classify", name=path.stem, image=image))


def _agreement(model: Path, quality: SampleQuality) -> float | None:
    """In percent; what was added for it is forgotten again."""
    with edgevision.load(model) as generator:
        if not generator.labels:
            return None
        # Without a class to draw, the classes come in turn.
        pixels = _tensor(generator(_AGREEING).pixels)
        quality.add_fake(pixels, torch.arange(_AGREEING) % len(generator.labels))
    return quality.compute()["class_agreement"]


def _parity(checkpoint: Path, part: NetworkPart, model: Path) -> float:
    metadata = require_metadata(model)
    network = take_part(read_checkpoint(checkpoint), part).network
    latent = metadata.spec_as(GenerationSpec).latent
    assert latent is not None
    batches = list(seeded_batches(metadata, (latent.size,), 64, 0))
    inputs = dict(
        zip([spec.name for spec in metadata.inputs], map(np.concatenate, zip(*batches, strict=True)), strict=True)
    )
    with open_engine(model) as engine, TorchEngine(network, metadata.inputs, metadata.outputs) as reference:
        return sqnr_db(reference.run(inputs)[0], engine.run(inputs)[0])


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


if __name__ == "__main__":
    main()
