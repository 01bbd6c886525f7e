"""What a classifier's scores are, found out from its graph and from what it says of samples: the two have to agree."""

from typing import Any

import numpy as np
import onnx

from edgevision.core.errors import InputError
from edgevision.exporters.analysis.output_range import last_operator
from edgevision.exporters.network_facts.network import Network, check_fit
from edgevision.exporters.samples import seeded_batches
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.tasks.classification.scores import classification_of
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec

# Whose scores tell what a classifier ends in.
_SAMPLES = 16

# Half precision, and sums over a thousand classes.
_ROUNDING = 1e-2

_ENDS = {
    "Softmax": Activation.SOFTMAX,
    "LogSoftmax": Activation.LOG_SOFTMAX,
    "Sigmoid": Activation.SIGMOID,
}
_NO_SCORES = ("ArgMax", "ArgMin", "TopK", "OneHot", "Hardmax")
# A weighted sum is bounded by nothing: where it stays within 0..1 for some samples, that is chance.
_LINEAR = ("Gemm", "Conv", "MatMul", "QLinearConv", "QLinearMatMul", "QGemm", "ReduceMean", "GlobalAveragePool")

_REMEDY = "say it with --activation (none, softmax, sigmoid, log_softmax)"


def describe_classification(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    """Complete ``metadata`` with what the network's scores are.

    Raises:
        InputError: it cannot be told, what the metadata say contradicts the scores, or they are no scores.
    """
    check_fit(metadata, network.conversion)
    with network.reference() as reference:
        batches = seeded_batches(metadata, network.shape, _SAMPLES, network.seed)
        outputs = [(len(batch[0]), run_batched(reference, batch)[0]) for batch in batches]
    scores = np.concatenate([np.asarray(found, np.float64).reshape(count, -1) for count, found in outputs])
    own, said = metadata.spec_as(ClassificationSpec), classification_of(metadata)
    if own.activation is None and not own.multi_label and said.activation is Activation.NONE:
        return metadata.updated(spec=own.updated(activation=_found(*_ending(network.conversion.model), scores)))
    _check_given(said.activation, scores)
    return metadata.updated(spec=said)


def _ending(model: onnx.ModelProto) -> tuple[str, str]:
    """The operator that makes the scores and, where it only scales or shifts by a constant, the one before it.

    A bias behind a weighted sum is a part of that.
    """
    last = last_operator(model)
    if last is None:
        return "", ""
    constants = {value.name for value in model.graph.initializer}
    constants |= {output for node in model.graph.node if node.op_type == "Constant" for output in node.output}
    if last.op_type in ("Add", "Mul", "Div") and set(last.input) & constants:
        before = {output: node for node in model.graph.node for output in node.output}
        makers = [before[name].op_type for name in last.input if name in before and name not in constants]
        if len(makers) == 1:
            return (makers[0], "") if makers[0] in _LINEAR else (last.op_type, makers[0])
    return last.op_type, ""


def _found(operator: str, scaled: str, scores: Any) -> Activation:
    if operator in _NO_SCORES:
        raise InputError(
            f"the network ends in {operator}: it gives the classes' numbers, and probabilities need the scores before"
        )
    if not np.isfinite(scores[~np.isneginf(scores)]).all():
        raise InputError("the network's scores for samples are not finite, so that nothing can be told of them")
    end, fits = _ENDS.get(operator), _fitting(scores)
    if end is Activation.SOFTMAX and scores.shape[1] == 1:
        raise InputError("the network ends in a softmax over one score, which is 1 for every picture")
    if end is not None:
        if end not in fits:
            raise InputError(
                f"the network ends in {operator}, but its scores for samples are not what that gives over the classes;"
                f" {_REMEDY}"
            )
        return end
    if operator in _LINEAR:
        return Activation.NONE
    for activation in (Activation.SOFTMAX, Activation.LOG_SOFTMAX):
        if activation in fits and scores.shape[1] > 1:
            return activation
    if Activation.SIGMOID in fits:
        raise InputError(
            f"all of the network's scores for samples lie in 0..1 and do not add up to 1: probabilities or logits, that"
            f" cannot be told from {operator or 'its graph'}; {_REMEDY}"
        )
    if scaled in _ENDS:
        raise InputError(
            f"behind its {scaled} the network has {operator}, which makes {scores.min():.3g} to {scores.max():.3g} of"
            f" the probabilities: these are no logits either; export it without that step, or {_REMEDY}"
        )
    return Activation.NONE


def _check_given(activation: Activation | None, scores: Any) -> None:
    if activation not in (None, Activation.NONE) and activation not in _fitting(scores):
        raise InputError(
            f"the network's scores for samples are {scores.min():.3g} to {scores.max():.3g} and add up to"
            f" {scores.sum(axis=1).mean():.3g}, which is no {activation}; {_REMEDY}"
        )


def _fitting(scores: Any) -> set[Activation]:
    """What the scores (samples, classes) may be by their values, logits aside."""
    fits = set()
    if scores.min() >= -_ROUNDING and scores.max() <= 1 + _ROUNDING:
        fits.add(Activation.SIGMOID)
        if np.abs(scores.sum(axis=1) - 1).max() < _ROUNDING:
            fits.add(Activation.SOFTMAX)
    if scores.max() <= _ROUNDING and (scores.shape[1] == 1 or np.abs(np.exp(scores).sum(axis=1) - 1).max() < _ROUNDING):
        fits.add(Activation.LOG_SOFTMAX)
    return fits
