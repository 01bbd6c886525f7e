"""Reads what is to be exported, whatever it is."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgevision.core.errors import InputError
from edgevision.exporters.checkpoint_names import stem
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.network_facts.network import check_fit
from edgevision.exporters.sources.checkpoint_source import convert_checkpoint
from edgevision.exporters.sources.describe import current_form, merged
from edgevision.exporters.sources.library_network import read_library_network
from edgevision.exporters.sources.network_part import NetworkPart, take_part
from edgevision.exporters.sources.onnx_source import describe_onnx
from edgevision.exporters.sources.source_model import SourceModel
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_references import library_reference


def read_source_model(
    path: Path,
    *,
    part: NetworkPart,
    arch: str | None,
    arch_options: Mapping[str, Any] | None,
    weights: str | None,
    input_shape: tuple[int, ...] | None,
    metadata: Mapping[str, Any],
    trust_pickle: bool,
    seed: int,
    check: Callable[[ModelMetadata], None] = lambda metadata: None,
) -> SourceModel:
    """Read a checkpoint or an ``.onnx`` file; the arguments are those of :func:`edgevision.exporters.export.export`.

    ``check`` may refuse what it is told of the model, before anything is converted.

    Raises:
        CheckpointError, ModelFileError, InputError: it cannot be read, or something it does not say was not given.
    """
    library = library_reference(path)
    if library is not None:
        if arch is not None or weights is not None or part is not NetworkPart.BOTH:
            raise InputError(f"{library.given} is a whole network: --arch, --weights and --part mean nothing for it")
        made = read_library_network(library)
        described = merged(made.metadata, current_form(metadata))
        source = convert_checkpoint(
            made.checkpoint, Path(library.name).name, input_shape or made.input_shape, described, seed, check
        )
    elif path.suffix.lower() != ".onnx":
        checkpoint = read_checkpoint(
            path, arch=arch, arch_options=arch_options, weights=weights, trust_pickle=trust_pickle
        )
        source = convert_checkpoint(take_part(checkpoint, part), stem(path), input_shape, metadata, seed, check)
    elif arch is not None or weights is not None or part is not NetworkPart.BOTH:
        raise InputError(
            f"{path.name!r} is an ONNX model already: --arch, --weights and --part are for PyTorch checkpoints"
        )
    else:
        source = describe_onnx(path, input_shape, metadata, seed, check)
    check_fit(source.metadata, source.conversion)
    return source
