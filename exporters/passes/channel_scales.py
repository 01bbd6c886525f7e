"""How a file says by how much the channels of a layer's output were scaled, which the next layer undoes."""

import json
from base64 import b64decode, b64encode
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

CHANNEL_SCALE_KEY = "edgevision.channel_scale"
"""Of the ``metadata_props`` of an ONNX node: see :class:`edgevision.exporters.comparison.layer_graph.Layer`."""

CHANNEL_SCALES_KEY = "edgevision_channel_scales"
"""Of the ``rt_info`` of an OpenVINO IR: the same of all its layers, as JSON by their names."""


def encoded_scale(scale: NDArray[Any]) -> str:
    """A channel scale as text."""
    return b64encode(scale.astype("<f4").tobytes()).decode()


def decoded_scale(text: str) -> NDArray[Any] | None:
    """The reverse of :func:`encoded_scale`; ``None`` for what is none, as in a file that somebody changed."""
    try:
        scale: NDArray[Any] = np.frombuffer(b64decode(text, validate=True), "<f4")
    except ValueError:
        return None
    return scale if scale.size and np.isfinite(scale).all() and (scale > 0).all() else None


def channel_scales(model: onnx.ModelProto) -> str | None:
    """Those of all layers of an ONNX model, as :data:`CHANNEL_SCALES_KEY` has them; ``None`` where there are none."""
    found = {
        node.name: entry.value
        for node in model.graph.node
        for entry in node.metadata_props
        if entry.key == CHANNEL_SCALE_KEY
    }
    return json.dumps(found) if found else None
