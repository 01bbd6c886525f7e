"""The sides of the pictures that an exported program takes, from expressions that are read and never evaluated.

PyTorch writes them as ``s0``, ``2*s0`` or ``Mul(Integer(2), Symbol('s0', integer=True))`` and gives them to sympy,
which runs them as Python.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

_LONGEST = 2000
# The functions of sympy and of torch/utils/_sympy/functions.py.
_FUNCTIONS = """
    Symbol Integer Float Rational Add Mul Pow Mod Max Min Abs floor ceiling sqrt Eq Ne Lt Le Gt Ge And Or Not
    Equality Inequality StrictLessThan StrictGreaterThan LessThan GreaterThan Piecewise ExprCondPair Where FloorDiv
    ModularIndexing PythonMod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural FloatPow FloatTrueDiv
    IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat Identity
    BitwiseFn_bitwise_and BitwiseFn_bitwise_or OpaqueUnaryFn_sqrt OpaqueUnaryFn_exp OpaqueUnaryFn_log2
"""
_ARITHMETIC = frozenset(_FUNCTIONS.split())
_HARMLESS = (
    ast.Expression, ast.Name, ast.Load, ast.keyword, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


Ranges = Mapping[str, tuple[int | None, int | None]]
"""The least and the largest value of each symbol; ``None`` where there is none."""


@dataclass(frozen=True)
class Side:
    """``factor`` times ``symbol`` plus ``offset``; without a symbol the side is ``offset``."""

    offset: int
    factor: int = 0
    symbol: str = ""

    def __str__(self) -> str:
        factor = f"{self.factor}*" if self.factor != 1 else ""
        return f"{factor}{self.symbol}{f' + {self.offset}' if self.offset else ''}" if self.symbol else str(self.offset)


def read_side(size: Any) -> Side:
    """A ``SymInt`` of torch/_export/serde/schema.py; where its expression is none of these it is what the example had.

    Raises:
        ValueError: the expression is no arithmetic on sizes.
    """
    match size:
        case {"as_int": int(side)}:
            return Side(side)
        case {"as_expr": {"expr_str": str(text), **rest}}:
            linear = _linear(parse_expression(text))
            if linear is not None:
                return linear
            match rest.get("hint"):
                case {"as_int": int(side)}:
                    return Side(side)
    raise ValueError("it does not say how large its inputs are")


def parse_expression(text: str) -> ast.expr:
    """The tree of an expression that holds arithmetic on symbols and numbers; :class:`ValueError` where it does not."""
    refused = ValueError(f"it has the expression {text!r:.100}, which is no arithmetic on sizes")
    if len(text) > _LONGEST:
        raise refused
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise refused from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            harmless = isinstance(node.func, ast.Name) and node.func.id in _ARITHMETIC
        elif isinstance(node, ast.Constant):
            harmless = isinstance(node.value, int | float | str)
        else:
            harmless = isinstance(node, _HARMLESS)
        if not harmless:
            raise refused
    return tree.body


def _linear(node: ast.expr) -> Side | None:
    match node:
        case (
            ast.Constant(value=int(number))
            | ast.Call(func=ast.Name(id="Integer"), args=[ast.Constant(value=int(number))])
        ):
            return Side(number)
        case ast.Name(id=name) | ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))]):
            return Side(0, 1, name)
        case ast.Call(func=ast.Name(id="Mul" | "Add" as kind), args=[left, right]):
            return _combined(kind, _linear(left), _linear(right))
        case ast.BinOp(left=left, op=ast.Mult() | ast.Add() as operation, right=right):
            return _combined("Mul" if isinstance(operation, ast.Mult) else "Add", _linear(left), _linear(right))
    return None


def _combined(kind: str, one: Side | None, other: Side | None) -> Side | None:
    if one is None or other is None or (one.symbol and other.symbol):
        return None
    number, side = (one, other) if other.symbol else (other, one)
    if kind == "Mul":
        return Side(side.offset * number.offset, side.factor * number.offset, side.symbol)
    return Side(side.offset + number.offset, side.factor, side.symbol)


def read_ranges(document: Mapping[str, Any]) -> Ranges:
    """The ``range_constraints`` of a program. A least value of 2 only says that PyTorch has not looked at 0 and 1."""
    ranges = {}
    for symbol, limits in document.items():
        low, high = (number if isinstance(number, int) else None for number in map(limits.get, ("min_val", "max_val")))
        ranges[symbol] = (None if low is None or low <= 2 else low), high
    return ranges


def check_sides(
    inputs: Sequence[Tensor],
    expected: Sequence[Sequence[Side]],
    ranges: Ranges,
) -> None:
    """Refuse inputs that the program was not exported for: beyond these sizes its constants would be wrong.

    Raises:
        ValueError: says which input, its shape, and what it has to be.
    """
    values: dict[str, int] = {}
    for number, (tensor, sides) in enumerate(zip(inputs, expected, strict=True)):
        fits = tensor.ndim == len(sides)
        for actual, side in zip(tensor.shape, sides, strict=False):
            # While the network is traced a dynamic axis is a symbol of the tracer's.
            if type(actual) is not int:
                continue
            if not side.symbol or not side.factor:
                fits &= actual == side.offset
                continue
            value, rest = divmod(actual - side.offset, side.factor)
            low, high = ranges.get(side.symbol, (None, None))
            fits &= rest == 0 and values.setdefault(side.symbol, value) == value
            fits &= (low is None or value >= low) and (high is None or value <= high)
        if not fits:
            shape = "x".join(map(str, sides))
            given = "x".join(map(str, tensor.shape))
            raise ValueError(f"input {number + 1} is {given}; it was exported for {shape}{_limits(sides, ranges)}")


def _limits(sides: Sequence[Side], ranges: Ranges) -> str:
    texts = []
    for name in dict.fromkeys(side.symbol for side in sides):
        low, high = ranges.get(name, (None, None))
        texts += [f", {name} at least {low}"] * (low is not None) + [f", {name} at most {high}"] * (high is not None)
    return "".join(texts)
