"""PyTorch's two ONNX exporters, made quiet, and what they say without saying it."""

import io
import linecache
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.export import Dim
from torch.jit import TracerWarning  # type: ignore[attr-defined]

from edgevision.exporters.adaptive_pooling import ExactAdaptivePooling
from edgevision.exporters.assumptions import check_assumptions
from edgevision.exporters.picture_sizes import Examples

OPSET = 20

POSITIONS = {"batch": 0, "height": 2, "width": 3}


def with_dynamo(
    network: nn.Module,
    examples: Examples,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic: tuple[str, ...],
    multiple: int,
) -> onnx.ModelProto:
    """By ``torch.export``, which knows what it assumes of the ``dynamic`` sides (multiples of ``multiple``).

    Raises:
        BranchError: the network goes another way for other sizes.
        Exception: almost anything, where it cannot export the network.
    """
    sides = {"batch": Dim("batch"), "height": Dim("height"), "width": Dim("width")}
    if multiple > 1:
        sides |= {name: multiple * Dim(f"{name}_by_{multiple}") for name in ("height", "width")}
    with quiet_exporter(), ExactAdaptivePooling():
        program = torch.onnx.export(
            network,
            examples,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_shapes=tuple({POSITIONS[name]: sides[name] for name in dynamic} or None for _ in examples),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    if program.exported_program is not None:
        check_assumptions(program.exported_program, {name: POSITIONS[name] for name in dynamic if name != "batch"})
    return program.model_proto


def with_torchscript(
    network: nn.Module,
    examples: Examples,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic: tuple[str, ...],
    multiple: int,
) -> onnx.ModelProto:
    """By tracing: every branch becomes the way of the examples, of which :func:`branches` tells."""
    axes = {input_name: {POSITIONS[name]: name for name in dynamic} for input_name in input_names}
    if "batch" in dynamic:
        axes |= {name: {0: "batch"} for name in output_names}
    stream = io.BytesIO()
    # On failure it prints its graph, by default to standard output, which belongs to the command's result.
    torch._C._jit_set_onnx_log_output_stream("stderr")
    with quiet_exporter(), ExactAdaptivePooling():
        torch.onnx.export(
            network,
            examples,
            stream,  # type: ignore[arg-type]
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    return onnx.load_model_from_string(stream.getvalue())


def branches(network: nn.Module, examples: Examples) -> tuple[str, ...]:
    """The lines of the network's code where a value becomes a number or a decision of Python, as tracing finds them."""
    with quiet_exporter() as caught:
        try:
            torch.jit.trace(network, examples, check_trace=False)  # type: ignore[no-untyped-call]
        except Exception:  # somebody else's code
            return ()
    places = [(Path(w.filename), w.lineno) for w in caught if issubclass(w.category, TracerWarning)]
    torchs = Path(torch.__file__).parent
    return tuple(
        f"{path.name} line {number}: {linecache.getline(str(path), number).strip()}"
        for path, number in dict.fromkeys(places)
        if torchs not in path.parents
    )


@contextmanager
def quiet_exporter() -> Iterator[list[warnings.WarningMessage]]:
    """Keep torch's remarks about its own insides and about torchvision, which is not needed, from the user.

    The warnings are put into the list instead.
    """
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        # It prints half a graph when it gives one up.
        with warnings.catch_warnings(record=True) as caught, redirect_stderr(io.StringIO()):
            warnings.simplefilter("always")
            yield caught
    finally:
        logging.disable(level)
