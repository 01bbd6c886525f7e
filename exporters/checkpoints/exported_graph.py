"""The network of an exported program: its graph, run operator by operator.

The names are those of torch/_export/serde/schema.py, which says what each of them holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from typing import Any

import torch
from torch import Tensor, nn

from edgevision.exporters.checkpoints.exported_operators import find_operator
from edgevision.exporters.checkpoints.exported_sizes import Ranges, Side, check_sides

DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    10: torch.complex64,
    11: torch.complex128,
    12: torch.bool,
    13: torch.bfloat16,
}
"""ScalarType."""

_MEMORY_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
    4: torch.preserve_format,
}
STRIDED = 7
"""The member of Layout that plain tensors have."""

_DEEPEST = 20


@dataclass(frozen=True)
class Value:
    """An argument that is what an earlier node gave."""

    name: str


@dataclass(frozen=True)
class Node:
    """One call: what it gives goes under ``outputs``, which are nested as the operator's results are."""

    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    outputs: tuple[Any, ...]


class Graph:
    """Nodes in the order in which they run; a sub-graph is called with the values of its inputs."""

    def __init__(self, document: Mapping[str, Any], depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"its graphs hold each other more than {_DEEPEST} deep")
        self.inputs = [read_argument(item, depth) for item in document["inputs"]]
        self.outputs = [read_argument(item, depth) for item in document["outputs"]]
        self.nodes = [_node(item, depth) for item in document["nodes"]]

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        values = {item.name: value for item, value in zip(self.inputs, inputs, strict=True) if isinstance(item, Value)}
        return self.run(values)

    def replace_types(self, replaced: Mapping[torch.dtype, torch.dtype]) -> None:
        """Give every operator that is told a type the one that replaces it."""
        for place, node in enumerate(self.nodes):
            for argument in node.arguments:
                if isinstance(argument, Graph):
                    argument.replace_types(replaced)
            types = {
                name: replaced.get(value, value)
                for name, value in node.keywords.items()
                if isinstance(value, torch.dtype)
            }
            self.nodes[place] = replace(node, keywords=dict(node.keywords) | types)

    def run(self, values: dict[str, Any]) -> tuple[Any, ...]:
        """The outputs, from the values of the inputs by name."""
        for node in self.nodes:
            arguments = [_resolved(argument, values) for argument in node.arguments]
            keywords = {name: _resolved(argument, values) for name, argument in node.keywords.items()}
            result = node.call(*arguments, **keywords)
            results = result if len(node.outputs) > 1 or isinstance(result, tuple) else (result,)
            for output, value in zip(node.outputs, results, strict=bool(node.outputs)):
                _store(output, value, values)
        return tuple(_resolved(output, values) for output in self.outputs)


class ExportedNetwork(nn.Module):
    """Gives the outputs of an exported program, without their nesting; made by :func:`exported_network`."""

    def __init__(
        self,
        graph: Graph,
        tensors: Mapping[str, Tensor],
        constants: Mapping[str, Any],
        inputs: Mapping[str, Sequence[Side]],
        ranges: Ranges,
    ) -> None:
        super().__init__()
        self._graph, self._constants, self._inputs, self._ranges = graph, constants, inputs, ranges
        # Their own names are a stranger's text, which exporters would write into the code they generate.
        self._names = {f"weight_{number}": name for number, name in enumerate(tensors)}
        for own, name in self._names.items():
            self.register_buffer(own, tensors[name])

    def replace_types(self, replaced: Mapping[torch.dtype, torch.dtype]) -> None:
        """Compute with other types where the program names one; its weights stay what they are."""
        self._graph.replace_types(replaced)

    def run(self, *inputs: Tensor) -> Any:
        """The one output, or all of them as a tuple.

        Raises:
            ValueError: the inputs are not of the sizes that the program was exported for.
        """
        check_sides(inputs, list(self._inputs.values()), self._ranges)
        values = dict(self._constants) | {name: getattr(self, own) for own, name in self._names.items()}
        outputs = self._graph.run(values | dict(zip(self._inputs, inputs, strict=True)))
        return outputs[0] if len(outputs) == 1 else outputs


def exported_network(
    graph: Graph,
    tensors: Mapping[str, Tensor],
    constants: Mapping[str, Any],
    inputs: Mapping[str, Sequence[Side]],
    ranges: Ranges,
) -> ExportedNetwork:
    """The network of a program: ``tensors`` are its weights and constants, ``inputs`` its pictures, by their names."""

    def forward(self: ExportedNetwork, *tensors: Tensor) -> Any:
        return self.run(*tensors)

    # Exporters want to know how many inputs there are.
    names = ["self", *(f"input_{number}" for number in range(len(inputs)))]
    kind = Parameter.POSITIONAL_OR_KEYWORD
    forward.__signature__ = Signature([Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    made = type(ExportedNetwork.__name__, (ExportedNetwork,), {"forward": forward})
    network: ExportedNetwork = made(graph, tensors, constants, inputs, ranges)
    return network


def _node(document: Mapping[str, Any], depth: int) -> Node:
    target = document["target"]
    if not isinstance(target, str):
        raise ValueError("it calls what is no operator")
    outputs = tuple(read_argument(item, depth) for item in document["outputs"])
    given = [(str(item["name"]), read_argument(item["arg"], depth)) for item in document["inputs"]]
    call = _HIGHER_ORDER.get(target) or find_operator(target)
    if isinstance(call, torch._ops.OpOverload):
        return Node(call, (), dict(given), outputs)
    return Node(call, tuple(value for _, value in given), {}, outputs)


def _run_graph(enabled: bool, graph: Graph, *operands: Any) -> Any:
    # Nothing here needs gradients, whatever the program says.
    return graph(*operands)


def _branch(condition: Any, then: Graph, otherwise: Graph, operands: Sequence[Any]) -> Any:
    return torch.cond(condition, then.__call__, otherwise.__call__, tuple(operands))


_HIGHER_ORDER: Mapping[str, Callable[..., Any]] = {
    "torch.ops.higher_order.wrap_with_set_grad_enabled": _run_graph,
    "torch.ops.higher_order.cond": _branch,
}


def read_argument(document: Mapping[str, Any], depth: int) -> Any:
    """An ``Argument``: a constant, a :class:`Value`, a list of them, or a :class:`Graph`."""
    ((kind, held),) = document.items()
    if kind == "as_none":
        return None
    if kind in ("as_int", "as_float", "as_bool", "as_string"):
        return _constant(kind, held)
    if kind in ("as_ints", "as_floats", "as_bools", "as_strings"):
        return [_constant(kind.removesuffix("s"), item) for item in held]
    if kind in ("as_tensor", "as_name"):
        return Value(str(held["name"] if kind == "as_tensor" else held))
    if kind in ("as_tensors", "as_optional_tensors", "as_sym_ints", "as_sym_floats", "as_sym_bools"):
        return [read_argument({"as_tensor": item} if kind == "as_tensors" else item, depth) for item in held]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool", "as_optional_tensor"):
        return read_argument(held, depth)
    if kind == "as_graph":
        return Graph(held["graph"], depth + 1)
    if kind == "as_scalar_type" and held in DTYPES:
        return DTYPES[held]
    if kind == "as_memory_format" and held in _MEMORY_FORMATS:
        return _MEMORY_FORMATS[held]
    if kind == "as_layout" and held == STRIDED:
        return torch.strided
    if kind == "as_device":
        return torch.device("cpu")
    raise ValueError(f"it has an argument {kind!r:.40} that no network here takes")


_TYPES = {"as_int": int, "as_float": int | float, "as_bool": bool, "as_string": str}
_FLOATS = ("Infinity", "-Infinity", "NaN")


def _constant(kind: str, value: Any) -> Any:
    if kind == "as_float" and value in _FLOATS:
        return float(value)
    if not isinstance(value, _TYPES[kind]) or (kind != "as_bool" and isinstance(value, bool)):
        raise ValueError(f"it has an argument {kind!r} that is a {type(value).__name__}")
    return float(value) if kind == "as_float" else value


def _resolved(argument: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(argument, Value):
        return values[argument.name]
    return [_resolved(item, values) for item in argument] if isinstance(argument, list) else argument


def _store(output: Any, value: Any, values: dict[str, Any]) -> None:
    if isinstance(output, Value):
        values[output.name] = value
    elif isinstance(output, list):
        for item, part in zip(output, value, strict=True):
            _store(item, part, values)
