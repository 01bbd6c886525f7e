"""Graphs brought to the form that everything behind relies on: folded, and free of what is not inference."""

import onnx
import onnx_ir
import onnxscript.optimizer
from onnx_ir.passes.common import RemoveInitializersFromInputsPass

from edgevision.exporters.quiet import quiet_exporter


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """With what is constant computed and what nobody reads removed."""
    with quiet_exporter():
        return onnxscript.optimizer.optimize(model)


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Folded, with every trace of the exporting machine gone."""
    model = folded(model)
    # The exporter leaves source files and line numbers of the network's code in every node.
    for thing in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del thing.metadata_props[:]
        thing.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    model.producer_name = "edgevision"
    model.producer_version = ""
    onnx.checker.check_model(model)
    return model


def without_default_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Older exporters list every constant as an input that may be given; here an input is what has to be.

    That is allowed since version 4 of the format, to which older models are raised.
    """
    ir = onnx_ir.from_proto(model)
    RemoveInitializersFromInputsPass()(ir)
    modern = onnx_ir.to_proto(ir)
    modern.ir_version = max(
        modern.ir_version, 4, onnx.helper.find_min_ir_version_for(modern.opset_import, ignore_unknown=True)
    )
    return modern


def add_metadata(model: onnx.ModelProto, key: str, value: str) -> None:
    """Put ``value`` into the model's ``metadata_props`` under ``key``, replacing what was there."""
    others = [entry for entry in model.metadata_props if entry.key != key]
    del model.metadata_props[:]
    model.metadata_props.extend([*others, onnx.StringStringEntryProto(key=key, value=value)])
