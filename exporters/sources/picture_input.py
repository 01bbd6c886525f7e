"""The picture that a stranger's graph takes, made an input (batch, channels, height, width) as models here have it.

TensorFlow's graphs take (batch, height, width, channels), torchvision's detectors a picture without a batch, and
PaddlePaddle's and RT-DETR's ask for the size of the picture besides, to give boxes in its pixels.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgevision.core.errors import InputError
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.engines.engine import Array

Side = TypeVar("Side", int, int | str)

_CHANNELS = (1, 3)
_PLAIN = (0, 1, 2, 3)

# What such an input holds for a picture of that (height, width) which already has the network's size.
_SIZES: Mapping[str, Callable[[int, int], Sequence[float]]] = {
    "orig_target_sizes": lambda height, width: (width, height),  # RT-DETR, D-FINE, DEIM
    "im_shape": lambda height, width: (height, width),  # PaddleDetection
    "scale_factor": lambda height, width: (1, 1),
    "image_shape": lambda height, width: (height, width),  # keras-yolo3
}
_MASKS = ("pixel_mask",)
"""1 where there is picture and not padding: DETR of transformers."""


@dataclass(frozen=True)
class PictureInput:
    """What is given to the graph for a picture.

    Attributes:
        given: the input as the graph has it.
        order: which axes of (1, C, H, W) it has, in its order.
        constants: what its other inputs are given, for pictures of one size.
        sides: that size (height, width), where there are any.
    """

    given: TensorSpec
    order: tuple[int, ...]
    constants: Mapping[str, Array] = field(default_factory=dict)
    sides: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """Of the input of pictures as models here have them."""
        return self.given.name if self.order == _PLAIN else f"{self.given.name}_nchw"

    @property
    def spec(self) -> TensorSpec:
        """That input."""
        shape: list[int | str] = [1] * 4
        for axis, side in zip(self.order, self.given.shape, strict=True):
            shape[axis] = side
        if self.sides is not None:
            shape[2:] = self.sides
        return self.given.updated(name=self.name, shape=tuple(shape))

    @property
    def note(self) -> str:
        """What is changed, for people."""
        axes = ", ".join(("batch", "channels", "height", "width")[axis] for axis in self.order)
        changes = [] if self.order == _PLAIN else [f"input {self.given.name!r} took ({axes})"]
        changes += [f"{name!r} is {array.ravel()[:2].tolist()}" for name, array in self.constants.items()]
        return f"pictures are given as (batch, channels, height, width): {'; '.join(changes)}"

    def shape_of(self, shape: tuple[Side, ...] | None) -> tuple[Side | int, ...] | None:
        """The shape that a user gave, in the order of a picture's axes if it is in the graph's own."""
        if shape is None or len(shape) != len(self.order) or (len(shape) == 4 and shape[1] in _CHANNELS):
            return shape
        sides = dict(zip(self.order, shape, strict=True))
        return tuple(sides.get(axis, 1) for axis in range(4))

    def feeds(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """What the graph takes as it was given, for the inputs of the model that :meth:`applied` made of it."""
        picture: NDArray[np.generic] = inputs[self.name]
        axes = [axis for axis in self.order if axis]
        if 0 in self.order:
            return {self.given.name: picture.transpose(0, *axes), **self.constants}
        return {self.given.name: picture[0].transpose([axis - 1 for axis in axes]), **self.constants}

    def applied(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """``model`` with an input of pictures as models here have them, and no others."""
        changed = copy.deepcopy(model)
        graph = changed.graph
        kind = next(value.type.tensor_type.elem_type for value in graph.input if value.name == self.given.name)
        others = [value for value in graph.input if value.name not in (self.given.name, *self.constants)]
        picture = helper.make_tensor_value_info(self.name, kind, self.spec.shape)
        del graph.input[:]
        graph.input.extend([picture, *others])
        graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in self.constants.items())
        for index, node in enumerate(self._nodes(changed)):
            graph.node.insert(index, node)
        return changed

    def _nodes(self, model: onnx.ModelProto) -> list[onnx.NodeProto]:
        """What makes the given input of the picture."""
        if self.order == _PLAIN:
            return []
        if 0 in self.order:
            return [helper.make_node("Transpose", [self.name], [self.given.name], perm=self.order)]
        # A picture without a batch: there is one.
        axes = [axis - 1 for axis in self.order]
        target = self.given.name if axes == [0, 1, 2] else f"{self.given.name}_chw"
        opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        if opset < 13:
            nodes = [helper.make_node("Squeeze", [self.name], [target], axes=[0])]
        else:
            first = f"{self.given.name}_batch_axis"
            model.graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), first))
            nodes = [helper.make_node("Squeeze", [self.name, first], [target])]
        if target != self.given.name:
            nodes.append(helper.make_node("Transpose", [target], [self.given.name], perm=axes))
        return nodes


def picture_input(model: onnx.ModelProto, input_shape: tuple[int | str, ...] | None) -> PictureInput | None:
    """How a graph is given pictures, where that is not as models here are; ``None`` where it is, or takes no pictures.

    ``input_shape`` is the user's, if it was given.

    Raises:
        InputError: the graph asks for the size of the picture, and which that is is not known.
    """
    inputs = Conversion(model, "given", ()).inputs
    pictures = [(spec, order) for spec in inputs if (order := _order_of(spec)) is not None]
    others = {spec.name: spec for spec in inputs if spec.name in _SIZES or spec.name in _MASKS}
    pictures = [(spec, order) for spec, order in pictures if spec.name not in others]
    if len(pictures) != 1 or len(inputs) != 1 + len(others):
        return None
    ((given, order),) = pictures
    found = PictureInput(given, order)
    if not others:
        return None if order == _PLAIN else found
    height, width = (found.shape_of(input_shape) or found.spec.shape)[2:]
    if isinstance(height, str) or isinstance(width, str):
        raise InputError(
            f"the graph asks for the size of the picture ({', '.join(others)}), so that it is made for one: give"
            " --input-shape, as 1x3x640x640"
        )
    constants = {name: _constant(spec, height, width) for name, spec in others.items()}
    return PictureInput(given, order, constants, (height, width))


def _order_of(spec: TensorSpec) -> tuple[int, ...] | None:
    """Which axes of (1, C, H, W) an input has; ``None`` where it is no picture."""
    shape = spec.shape
    if len(shape) == 4 and shape[1] in _CHANNELS:
        return _PLAIN
    if len(shape) == 4 and shape[3] in _CHANNELS:
        return (0, 2, 3, 1)
    if len(shape) == 3 and shape[0] in _CHANNELS and shape[2] not in _CHANNELS:
        return (1, 2, 3)
    if len(shape) == 3 and shape[2] in _CHANNELS and shape[0] not in _CHANNELS:
        return (2, 3, 1)
    return None


def _constant(spec: TensorSpec, height: int, width: int) -> Array:
    if spec.name in _MASKS:
        return np.ones((1, height, width), spec.dtype)
    return np.array(_SIZES[spec.name](height, width), spec.dtype).reshape((1, 2) if len(spec.shape) == 2 else (2,))
