"""Looking into an NCNN model (``.param`` beside ``.bin`` and the metadata) without NCNN, and checking what it believes.

The ``.param`` is text (github.com/Tencent/ncnn/wiki/param-and-model-file-structure): a magic number, how many layers
and tensors there are, and a line for each layer with its type, its name, how many tensors it takes and gives, which
these are, and numbered parameters. It does not say how large anything is but weights: shapes are those of the metadata.
"""

import math
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from edgevision.core.regular_files import read_regular
from edgevision.modelfiles.external_data import ExternalData
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.metadata_beside import read_document
from edgevision.modelfiles.model_description import Graph, ModelDescription

_MAGIC = "7767517"
_MOST_BYTES = 16 << 20
_LARGEST_NUMBER = 2**31 - 1
# NCNN reads types and names into buffers of this size.
_LONGEST_NAME = 255

# The parameters whose product is how many weights a layer has.
_WEIGHTS = {
    "BatchNorm": (0,),
    "Bias": (0,),
    "Convolution": (6,),
    "Convolution1D": (6,),
    "ConvolutionDepthWise": (6,),
    "Deconvolution": (6,),
    "DeconvolutionDepthWise": (6,),
    "Embed": (3,),
    "InnerProduct": (2,),
    "MemoryData": (0, 1, 11, 2),
    "PReLU": (0,),
    "Scale": (0,),
}
_SOURCES = ("Input", "MemoryData")
_OF_TWO = ("BinaryOp", "Eltwise", "MatMul")

# int8 has one byte a weight.
_LEAST_BYTES_A_WEIGHT = 1


class Layer(NamedTuple):
    """One line: the ``type`` and ``name`` of a layer, the tensors that it takes and gives, and its parameters."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: dict[int, str]

    @property
    def weights(self) -> int:
        """How many numbers it reads from the ``.bin``, as far as that is known of its type."""
        sizes = [_integer(self.parameters.get(key, "0")) for key in _WEIGHTS.get(self.type, ())]
        given = [size for size in sizes if size]
        return math.prod(given) if given else 0

    @property
    def least_inputs(self) -> int:
        """How many tensors it has to take: NCNN reads them without looking how many there are."""
        with_number = self.type == "BinaryOp" and self.parameters.get(1, "0") == "1"
        return 0 if self.type in _SOURCES else 2 if self.type in _OF_TWO and not with_number else 1


def describe(path: Path) -> ModelDescription:
    """All that is ever asked of the file.

    Raises:
        ValueError: it is damaged, or contradicts itself.
    """
    layers = read_layers(path)
    document, beside = read_document(path)
    declared = None if document is None else ModelMetadata.from_json(document, repr(path.name))
    made = [name for layer in layers for name in layer.outputs]
    read = {name for layer in layers for name in layer.inputs}
    weights = sum(layer.weights for layer in layers)
    graph = Graph(
        inputs=_specs([name for layer in layers if layer.type == "Input" for name in layer.outputs], declared),
        outputs=_specs([name for name in made if name not in read], declared),
        operators=dict(Counter(layer.type for layer in layers if layer.type != "Input").most_common()),
        opsets={},
        weights=weights,
        external_data=(
            ExternalData(path.with_suffix(".bin").name, length=weights * _LEAST_BYTES_A_WEIGHT, is_companion=True),
            *beside,
        ),
    )
    return ModelDescription(document, graph)


def read_layers(path: Path) -> list[Layer]:
    """The layers in the order of the file.

    Raises:
        ValueError: it is no ``.param``, or a tensor is read before a layer gives it, or given twice.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"a graph of more than {_MOST_BYTES >> 20} MB")
    lines = [line.split() for line in read_regular(path).decode().splitlines()]
    rows = [words for words in lines if words]
    if not rows or rows[0] != [_MAGIC]:
        raise ValueError(f"an NCNN model's .param begins with {_MAGIC}")
    if len(rows) < 2 or [*map(_count, rows[1])][:1] != [len(rows) - 2] or len(rows[1]) != 2:
        raise ValueError(f"it says {' '.join(rows[1])!r:.40} and has {len(rows) - 2} layers" if rows[1:] else "it ends")
    layers = [_layer(words) for words in rows[2:]]
    known: set[str] = set()
    for layer in layers:
        missing = [name for name in layer.inputs if name not in known]
        if missing:
            raise ValueError(f"{layer.name!r} takes {missing[0]!r}, which no layer before it gives")
        if len(layer.inputs) < layer.least_inputs or not layer.outputs:
            raise ValueError(f"{layer.type} {layer.name!r} takes {len(layer.inputs)} and gives {len(layer.outputs)}")
        if known.intersection(layer.outputs) or len(set(layer.outputs)) < len(layer.outputs):
            raise ValueError(f"{layer.name!r} gives what another layer gives")
        known.update(layer.outputs)
    if len(known) != _count(rows[1][1]):
        raise ValueError(f"it says {rows[1][1]} tensors and has {len(known)}")
    return layers


def _layer(words: list[str]) -> Layer:
    if len(words) < 4:
        raise ValueError(f"a layer of {len(words)} words")
    kind, name, taken, given = words[0], words[1], _count(words[2]), _count(words[3])
    names, parameters = words[4 : 4 + taken + given], words[4 + taken + given :]
    if len(names) < taken + given or any("=" in word for word in names):
        raise ValueError(f"{name!r:.80} lacks some of its {taken} + {given} tensors")
    if max(map(len, (kind, name, *names))) > _LONGEST_NAME:
        raise ValueError(f"a name of more than {_LONGEST_NAME} characters")
    return Layer(kind, name, tuple(names[:taken]), tuple(names[taken:]), dict(map(_parameter, parameters)))


def _parameter(word: str) -> tuple[int, str]:
    key, equals, value = word.partition("=")
    number = _integer(key)
    # Arrays are counted from -23300 downwards, and say first how long they are.
    if not equals or not value or not (0 <= number < 32 or -23332 < number <= -23300):
        raise ValueError(f"a parameter {word!r:.40}")
    if number < 0 and _count(value.split(",", 1)[0]) != len(value.split(",")) - 1:
        raise ValueError(f"an array {word!r:.40}")
    return number, value


def _count(text: str) -> int:
    number = _integer(text)
    if number < 0:
        raise ValueError(f"{number} of something")
    return number


def _integer(text: str) -> int:
    """An integer of 32 bits."""
    if len(text) > 11 or abs(int(text)) > _LARGEST_NUMBER:
        raise ValueError(f"a number {text!r:.30}")
    return int(text)


def _specs(names: list[str], declared: ModelMetadata | None) -> tuple[TensorSpec, ...]:
    """In the order and with the shapes of the metadata, if they name the same ones."""
    for specs in () if declared is None else (declared.inputs, declared.outputs):
        if sorted(spec.name for spec in specs) == sorted(names):
            return tuple(TensorSpec(name=spec.name, shape=spec.shape, dtype=spec.dtype) for spec in specs)
    return tuple(TensorSpec(name=name, shape=("?",)) for name in names)
