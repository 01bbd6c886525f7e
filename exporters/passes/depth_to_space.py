"""The order of the channels that DepthToSpace interleaves: all engines have one of its modes, some have only that."""

from typing import Any

import numpy as np
import onnx_ir

from edgevision.exporters.passes.ir import add_constant, constant, only_reader, replace


def interleave_by_channel(model: onnx_ir.Model) -> bool:
    """DepthToSpace in the mode CRD, as PyTorch's PixelShuffle, where a convolution gives it its channels.

    In DCR the channels come by place and then by channel; the convolution's kernels are put into the other order.
    """
    modified = False
    for node in list(model.graph):
        if node.op_type != "DepthToSpace" or node.attributes.get_string("mode", "DCR") != "DCR":
            continue
        value = node.inputs[0]
        layer = value.producer() if value is not None else None
        if value is None or layer is None or layer.op_type != "Conv" or only_reader(value) is not node:
            continue
        weights = [constant(given) for given in layer.inputs[1:]]
        if layer.attributes.get_int("group", 1) != 1 or any(array is None for array in weights):
            continue
        size = node.attributes.get_int("blocksize", 1)
        for position, array in enumerate(weights, 1):
            assert array is not None
            # (size * size, channels, ...) becomes (channels, size * size, ...).
            turned = array.reshape(size * size, -1, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape)
            name = f"{layer.inputs[position].name}_of_{layer.name}_by_channel"  # type: ignore[union-attr]
            layer.replace_input_with(position, add_constant(model, name, np.ascontiguousarray(turned)))
        options: dict[str, Any] = {"blocksize": size, "mode": "CRD"}
        replace(model, node, [onnx_ir.node("DepthToSpace", [value], options, name=node.name)])
        modified = True
    return modified
