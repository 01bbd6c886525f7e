"""Small networks and what is made of them; exporting takes seconds, so every kind is exported once a session."""

import copy
import io
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn
from torch.onnx._internal._lazy_import import onnxscript_apis

import edgevision.exporters.sources.checkpoint_source as checkpoint_source
from edgevision.exporters.conversion.onnx_conversion import Conversion, convert_to_onnx
from edgevision.exporters.export import export
from edgevision.exporters.report import ExportReport
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Provenance, TensorSpec
from edgevision.models import build_model
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.training.checkpoint import save_checkpoint

MadeOnce = Callable[[str, Callable[[Path], object]], Path]
Sqnr = Callable[[object, object], float]
Export = Callable[[str, str], tuple[Path, ExportReport]]

_KNOWN = (["edgevision", "models"], ["torch", "nn"])
"""Packages whose networks are what they are whichever test makes them; a test's own may change with it."""

OPTIONS = {"num_classes": 4, "image_size": 8}
LABELS = ("cat", "dög", "emu", "fox")
METADATA = ModelMetadata(
    task="classify",
    name="tiny",
    inputs=(TensorSpec(name="image", shape=("batch", 3, 8, 8)),),
    spec=ClassificationSpec(labels=LABELS),
    image=ImageSpec(size=(8, 8), mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2)),
    quality={"top1": 91.5},
    licence="CC0-1.0",
    provenance=Provenance(data="quarters", command="edgevision train classify", versions={"numpy": "2.0"}),
)

NETWORKS = '''
"""Somebody else's networks."""

import torch
from torch import nn


class Filler(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image, mask):
        return image * (1 - mask) + mask * self.layer(torch.cat((image, mask), dim=1))


def restorer(width=4, channels=1):
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, channels, 3, padding=1),
    )


def generator(size=6):
    return nn.Sequential(nn.Linear(size, 48), nn.Tanh(), nn.Unflatten(1, (3, 4, 4)))


def raises():
    raise RuntimeError("no weights for you")


def gives_a_number():
    return 7


number = 7
'''


@pytest.fixture(scope="session", autouse=True)
def conversions(made_once: MadeOnce) -> Iterator[None]:
    """What an export converts is converted once a run: networks of ours, whatever the format, the precision, the test.

    The file's name is the hash of the network with its weights, the examples and the options.
    """

    def convert(network: nn.Module, examples: tuple[torch.Tensor, ...], **options: object) -> Conversion:
        def fill(folder: Path) -> None:
            (folder / "pickle").write_bytes(pickle.dumps(convert_to_onnx(network, examples, **options)))

        if any(type(module).__module__.split(".")[:2] not in _KNOWN for module in network.modules()):
            return convert_to_onnx(network, examples, **options)
        torch.save((network, examples, sorted(options.items())), content := io.BytesIO())
        return pickle.loads((made_once(sha256(content.getvalue()).hexdigest(), fill) / "pickle").read_bytes())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint_source, "convert_to_onnx", convert)
        yield


@pytest.fixture(scope="session", autouse=True)
def operators_parsed_once() -> Iterator[None]:
    """PyTorch's exporter parses the source of its 500 operators for every model, a third of a small one's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxscript_apis, "get_torchlib_ops", cache(onnxscript_apis.get_torchlib_ops))
        yield


@pytest.fixture
def sqnr() -> Sqnr:
    """The signal to quantisation noise ratio of the second argument against the first, in dB."""

    def measure(reference: object, actual: object) -> float:
        r, a = np.asarray(reference, np.float64), np.asarray(actual, np.float64)
        assert r.shape == a.shape
        return float(10 * np.log10(np.sum(r**2) / max(np.sum((r - a) ** 2), 1e-300)))

    return measure


@pytest.fixture(scope="session")
def networks_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds somebody else's module of networks."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "tiny_networks.py").write_text(NETWORKS, encoding="utf-8")
    return folder


@pytest.fixture
def tiny_networks(networks_folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """That module, found because its folder is the current one, as for a user who stands in it."""
    monkeypatch.chdir(networks_folder)
    monkeypatch.setattr(sys, "path", [str(networks_folder), *sys.path])
    torch.manual_seed(0)
    return import_module("tiny_networks")


@pytest.fixture(scope="session")
def trace() -> Callable[[nn.Module, torch.Tensor], torch.jit.ScriptModule]:
    """A network as TorchScript, made as long as torch still makes it."""

    def run(network: nn.Module, example: torch.Tensor) -> torch.jit.ScriptModule:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.trace(network, example)

    return run


@pytest.fixture(scope="session")
def classifier() -> nn.Module:
    """A classifier of 8x8 pictures with random weights, whose answers are not close to each other."""
    torch.manual_seed(0)
    network = build_model("cnn3", **OPTIONS).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    return network


@pytest.fixture(scope="session")
def checkpoint(classifier: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own checkpoint of it."""
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.pt"
    save_checkpoint(path, classifier, METADATA, model="cnn3", options=OPTIONS)
    return path


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """The checkpoint exported in a format and precision, with the report; the files must not be changed."""
    folder = tmp_path_factory.mktemp("exported")
    done: dict[tuple[str, str], tuple[Path, ExportReport]] = {}

    def make(model_format: str = "onnx", precision: str = "fp32") -> tuple[Path, ExportReport]:
        key = (model_format, precision)
        if key not in done:
            path = folder / f"{model_format}-{precision}.{'onnx' if model_format == 'onnx' else 'xml'}"
            done[key] = path, export(checkpoint, path, format=model_format, precision=precision)
        return done[key]

    return make


@pytest.fixture(scope="session")
def classifier_conversion(classifier: nn.Module) -> Conversion:
    """The classifier as a plain ONNX model."""
    return convert_to_onnx(classifier, (torch.rand(1, 3, 8, 8),), input_names=["image"], output_names=["logits"])


@pytest.fixture
def quick_conversion(classifier_conversion: Conversion, monkeypatch: pytest.MonkeyPatch) -> Conversion:
    """Exports of the classifier use this copy of its conversion, which the test may spoil."""
    conversion = copy.deepcopy(classifier_conversion)
    monkeypatch.setattr(checkpoint_source, "convert_to_onnx", lambda *args, **kwargs: copy.deepcopy(conversion))
    return conversion
