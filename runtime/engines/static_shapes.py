"""Fixed shapes for devices that compile for one size only."""

from pathlib import Path

from edgevision.core.errors import DeviceError
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.model_facts import read_facts


def static_shapes(path: Path, device: str, *, tile: int | None = None) -> dict[str, tuple[int, ...]]:
    """One shape for every input with open dimensions: single samples, of the size that the metadata advises.

    That is the picture's size of a model that has one, otherwise a square tile of ``tile`` pixels or of the advised
    side. Empty where the file leaves nothing open.

    Raises:
        DeviceError: a side is open for which nothing is advised.
    """
    facts = read_facts(path)
    if all(isinstance(side, int) for spec in facts.inputs for side in spec.shape):
        return {}
    return {spec.name: _fixed(spec, facts.metadata, path, device, tile) for spec in facts.inputs}


def _fixed(
    spec: TensorSpec, metadata: ModelMetadata | None, path: Path, device: str, tile: int | None
) -> tuple[int, ...]:
    advised: dict[int, int] = {0: 1}
    if metadata is not None and metadata.image is not None and metadata.image.size is not None:
        advised |= dict(zip((2, 3), metadata.image.size, strict=True))
    elif metadata is not None and metadata.tile is not None and metadata.tile.overlap is not None:
        side = tile or metadata.tile.advised_side
        advised |= {2: side, 3: side}
    sides = [side if isinstance(side, int) else advised.get(axis) for axis, side in enumerate(spec.shape)]
    if None in sides:
        raise DeviceError(
            f"{device} needs every side of a model to be fixed, and {path.name!r} leaves {spec.name!r} open as"
            f" {'x'.join(map(str, spec.shape))}; export it with --static, e.g. 1x3x224x224"
        )
    return tuple(side for side in sides if side is not None)
