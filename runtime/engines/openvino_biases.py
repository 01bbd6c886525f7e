"""Biases that OpenVINO's CPU gives to the wrong channels.

Where a model has dynamic axes and something else asks for the shape that a convolution gives, OpenVINO (2026.4.1)
cannot merge the bias into the convolution. It then merges it into the quantisation behind, which adds the first
channel's bias to all channels: 25 dB of SQNR instead of 69 were seen. Such a bias is nowhere in the compiled graph. It
comes back where its sum is asked for as an output.
"""

from typing import Any

_KEPT = "edgevision_kept_"
_BIASED = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul")


def keep_lost_biases(model: Any, program: Any) -> bool:
    """Ask ``model`` for the sums that are missing in ``program``, which was compiled from it; whether there are any."""
    nodes = model.get_ordered_ops()
    if not any(node.get_type_name() == "FakeQuantize" for node in nodes):
        return False
    merged: set[str] = set()
    for node in program.get_runtime_model().get_ordered_ops():
        merged |= set(node.get_rt_info()["originalLayersNames"].astype(str).split(","))
    lost = [node for node in nodes if _adds_a_bias(node) and node.get_friendly_name() not in merged]
    for number, port in enumerate(model.add_outputs([node.output(0) for node in lost]) if lost else ()):
        port.get_tensor().set_names({f"{_KEPT}{number}"})
    return bool(lost)


def is_kept(port: Any) -> bool:
    """Whether an output is there for nobody but :func:`keep_lost_biases`; these come last."""
    return any(name.startswith(_KEPT) for name in port.get_names())


def _adds_a_bias(node: Any) -> bool:
    return node.get_type_name() == "Add" and any(
        value.get_node().get_type_name() in _BIASED for value in node.input_values()
    )
