"""A network of two styles in little: the picture without its mean, and red; both by statistics that may be given."""

from pathlib import Path

import numpy as np
from onnx_writer import node, onnx_model

from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.tasks.stylization.spec import StylizationSpec

_PICTURE = ("batch", 3, "height", "width")
_STATISTICS = ("batch", 2, 3)


def write_style_network(path: Path) -> Path:
    """Write it; the styles are wave and starry."""
    inputs = {"image": _PICTURE, "shares": ("batch", 2), "statistics": _STATISTICS}
    outputs = {"painted_image": _PICTURE, "own_statistics": _STATISTICS}
    nodes = [
        node("ReduceMean", ["image", "sides"], ["mean"], keepdims=1),
        node("Sub", ["image", "mean"], ["apart"]),
        node("Mul", ["apart", "apart"], ["squares"]),
        node("ReduceMean", ["squares", "sides"], ["variance"], keepdims=1),
        node("Gather", ["statistics", "first"], ["given"], axis=1),
        node("Gather", ["statistics", "second"], ["given_variance"], axis=1),
        node("Unsqueeze", ["given", "sides"], ["given_mean"]),
        node("Unsqueeze", ["given_variance", "sides"], ["given_spread"]),
        node("Greater", ["given_spread", "zero"], ["is_given"]),
        node("Where", ["is_given", "given_mean", "mean"], ["middle"]),
        node("Sub", ["image", "middle"], ["centred"]),
        node("Add", ["centred", "half"], ["wave"]),
        node("Gather", ["shares", "first"], ["wave_share"], axis=1),
        node("Gather", ["shares", "second"], ["starry_share"], axis=1),
        node("Unsqueeze", ["wave_share", "others"], ["wave_part"]),
        node("Unsqueeze", ["starry_share", "others"], ["starry_part"]),
        node("Mul", ["wave", "wave_part"], ["wave_painted"]),
        node("Mul", ["red", "starry_part"], ["starry_painted"]),
        node("Add", ["wave_painted", "starry_painted"], ["painted_image"]),
        node("Squeeze", ["mean", "sides"], ["means"]),
        node("Squeeze", ["variance", "sides"], ["variances"]),
        node("Unsqueeze", ["means", "one"], ["means_row"]),
        node("Unsqueeze", ["variances", "one"], ["variances_row"]),
        node("Concat", ["means_row", "variances_row"], ["own_statistics"], axis=1),
    ]
    weights = {
        "sides": np.int64([2, 3]),
        "others": np.int64([1, 2, 3]),
        "one": np.int64([1]),
        "first": np.int64(0),
        "second": np.int64(1),
        "zero": np.float32(0),
        "half": np.float32(0.5),
        "red": np.float32([1, 0, 0]).reshape(1, 3, 1, 1),
    }
    metadata = ModelMetadata(
        task="stylize",
        name="styles",
        inputs=tuple(TensorSpec(name=name, shape=shape) for name, shape in inputs.items()),
        outputs=tuple(TensorSpec(name=name, shape=shape) for name, shape in outputs.items()),
        image=ImageSpec(),
        spec=StylizationSpec(styles=("wave", "starry")),
        tile=TileSpec(multiple=4, overlap=8),
    )
    path.write_bytes(onnx_model(nodes, inputs, outputs, weights, metadata))
    return path
