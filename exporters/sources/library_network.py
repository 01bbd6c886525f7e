"""Networks that installed libraries make, with the weights and the preprocessing that these publish for them.

``timm:NAME`` and ``torchvision:NAME`` (or ``NAME@WEIGHTS``): the library downloads the weights where it keeps them.
"""

import os
from collections.abc import Mapping
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from edgevision.core.errors import DeviceError, InputError
from edgevision.core.installation import pip_command
from edgevision.core.printable import one_line
from edgevision.exporters.checkpoints import Checkpoint
from edgevision.modelfiles.metadata import Resize
from edgevision.modelfiles.model_references import LibraryReference

_CROP_MODES = {"center": Resize.CROP, "squash": Resize.STRETCH, "border": Resize.PAD}


class LibraryNetwork(NamedTuple):
    """A network, what its library says of it as in the JSON of :class:`ModelMetadata`, and the shape of its input."""

    checkpoint: Checkpoint
    metadata: dict[str, Any]
    input_shape: tuple[int, ...]


def read_library_network(reference: LibraryReference) -> LibraryNetwork:
    """Make the network, with its weights.

    Raises:
        DeviceError: the library is not installed, or cannot be imported.
        InputError: it knows no such network, has no weights or no preprocessing for it, or cannot get them.
    """
    library = _imported(reference.library)
    make = {"timm": _of_timm, "torchvision": _of_torchvision}[reference.library]
    try:
        network, metadata, shape = make(library, reference)
    except InputError:
        raise
    except Exception as error:  # somebody else's code, which also downloads
        reason = one_line(str(error) or type(error).__name__)
        raise InputError(f"{reference.given} cannot be made by {reference.library}: {reason:.300}") from error
    network.eval()
    return LibraryNetwork(Checkpoint(network, _digest(network)), metadata, shape)


def _imported(name: str) -> Any:
    if _is_offline():
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
    fitting = f"torchvision has to be the one for torch {torch.__version__}"
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise DeviceError(f"{name} needs {error.name}, which is not installed: {fitting}") from error
        raise DeviceError(f"{name} is not installed: {pip_command(f'install {name}')}; {fitting}") from error
    except Exception as error:  # one that does not fit its torch fails in many ways
        reason = one_line(str(error) or type(error).__name__)
        raise DeviceError(f"{name} is installed and cannot be imported: {reason:.200}; {fitting}") from error


def _of_timm(timm: Any, reference: LibraryReference) -> tuple[nn.Module, dict[str, Any], tuple[int, ...]]:
    network = timm.create_model(reference.name, pretrained=True)
    given = network.pretrained_cfg
    config: Mapping[str, Any] = given if isinstance(given, Mapping) else vars(given)
    channels, height, width = config["input_size"]
    mode = config.get("crop_mode") or "center"
    if mode not in _CROP_MODES:
        raise InputError(f"{reference.given} crops pictures by {mode!r}, which is not known: {', '.join(_CROP_MODES)}")
    image: dict[str, Any] = {
        "size": [height, width],
        "resize": _CROP_MODES[mode].value,
        "resample": _resample(config.get("interpolation") or "bilinear"),
        "mean": list(config["mean"]),
        "std": list(config["std"]),
    }
    share = float(config.get("crop_pct") or 1.0)
    if mode == "center":
        image["crop_share"] = share
    elif share != 1:
        raise InputError(f"{reference.given} takes {share:g} of what it makes by {mode!r}, which is not supported")
    metadata: dict[str, Any] = {"image": image, "licence": config.get("license")}
    count = int(config.get("num_classes") or 0)
    if count:
        metadata |= {"task": "classify", "spec": {"labels": _timm_labels(timm, network, config, count)}}
    return network, metadata, (1, channels, height, width)


def _timm_labels(timm: Any, network: nn.Module, config: Mapping[str, Any], count: int) -> list[str]:
    """The names of the classes, where the library has them."""
    names = config.get("label_names")
    if not names:
        data = import_module(f"{timm.__name__}.data")
        subset = data.infer_imagenet_subset(network)
        if subset:
            info = data.ImageNetInfo(subset)
            names = [info.index_to_description(index) for index in range(info.num_classes())]
    names = [str(name) for name in names or ()]
    return names if len(names) == count else []


def _of_torchvision(vision: Any, reference: LibraryReference) -> tuple[nn.Module, dict[str, Any], tuple[int, ...]]:
    name, _, wanted = reference.name.partition("@")
    known = vision.models.get_model_weights(name)
    weights = known[wanted] if wanted else known.DEFAULT
    if _is_offline():
        file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
        if not file.is_file():
            raise InputError(f"{str(file)!r} is not there, and EDGEVISION_OFFLINE forbids to fetch it")
    preset = weights.transforms()
    if not hasattr(preset, "crop_size"):
        raise InputError(
            f"{reference.given} is no classifier; export its network with --arch, and say what its head is"
        )
    ((side, *_), (scaled, *_)) = preset.crop_size, preset.resize_size
    network = vision.models.get_model(name, weights=weights)
    metadata = {
        "task": "classify",
        "image": {
            "size": [side, side],
            "resize": Resize.CROP.value,
            "crop_share": side / scaled,
            "resample": _resample(str(preset.interpolation.value)),
            "mean": list(preset.mean),
            "std": list(preset.std),
        },
        "spec": {"labels": list(map(str, weights.meta.get("categories", ())))},
    }
    return network, metadata, (1, 3, side, side)


def _resample(name: str) -> str:
    """As Pillow calls it; training with ``random`` ones is run with one of them."""
    return "bilinear" if name == "random" else name


def _is_offline() -> bool:
    return os.environ.get("EDGEVISION_OFFLINE", "") not in ("", "0")


def _digest(network: nn.Module) -> str:
    """SHA-256 of all weights, by name: libraries keep them in files of their own."""
    digest = sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
