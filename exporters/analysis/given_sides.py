"""Which sides of a graph are open in truth: others only say so, and hold a shape as a constant inside."""

from collections.abc import Sequence

import numpy as np

from edgevision.core.errors import DeviceError
from edgevision.exporters.analysis.picture_sizes import Examples, Sides, find_sides, repeated
from edgevision.runtime.engines.engine import Array, Engine


def sides_that_run(
    engine: Engine, examples: Examples, dynamic: Sequence[str], *, multiple: int = 1, keeps_size: bool = False
) -> tuple[tuple[str, ...], Sides | None]:
    """Those of ``dynamic`` (among batch, height and width) for which ``engine`` takes other sizes, found by running it.

    Args:
        examples: what it takes, one tensor for each input.
        multiple, keeps_size: as of :func:`edgevision.exporters.conversion.onnx_conversion.convert_to_onnx`.
    """
    names = [spec.name for spec in engine.inputs]

    def run(inputs: Sequence[Array]) -> list[Array] | None:
        try:
            return engine.run(dict(zip(names, inputs, strict=True)))
        except (ValueError, DeviceError):
            return None

    arrays = [example.numpy() for example in examples]
    first = run(arrays)
    if first is None:
        return tuple(dynamic), None  # whoever runs it next says why
    count = len(arrays[0])

    def samples(outputs: list[Array]) -> list[int]:
        """Of each output that has one answer for every sample; a constant shape may put them together otherwise."""
        return [len(o) for o, known in zip(outputs, first, strict=True) if known.ndim and len(known) == count]

    several = False
    if "batch" in dynamic:
        # An input of a model of several may be for all samples alike.
        open_inputs = [bool(spec.shape) and isinstance(spec.shape[0], str) for spec in engine.inputs]
        pairs = zip(arrays, open_inputs, strict=True)
        outputs = run([np.concatenate([array, array]) if is_open else array for array, is_open in pairs])
        several = outputs is not None and set(samples(outputs)) <= {2 * count}
    batch = ("batch",) if several else ()
    sizes = {array.shape[2:] for array in arrays}
    if not {"height", "width"} & set(dynamic) or any(array.ndim != 4 for array in arrays) or len(sizes) != 1:
        return batch, None
    ((height, width),) = sizes

    def takes(other_height: int, other_width: int) -> bool:
        outputs = run([example.numpy() for example in repeated(examples, other_height, other_width)])
        if outputs is None or not set(samples(outputs)) <= {count}:
            return False
        scale = first[0].shape[2] // height if keeps_size else 0
        return not keeps_size or outputs[0].shape[2:] == (scale * other_height, scale * other_width)

    sides = find_sides(takes, height, width, multiple=multiple)
    return (*batch, *(name for name in sides.free if name in dynamic)), sides
