"""What a classifier ends in is found out at export, from its graph and its scores, or the user is asked."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edgevision.core.errors import InputError
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.export import export
from edgevision.runtime.load import load
from edgevision.runtime.tasks.classification.evaluation import evaluate_classifier
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec

CLASSES = 4


def network(*endings, classes=CLASSES, outputs=("y",), dtype=TensorProto.FLOAT, shape=None):
    """A convolution, a mean, a dense layer with clear answers, and then ``endings``: nodes from "scores" to "y"."""
    random = np.random.default_rng(0)
    initializers = [
        numpy_helper.from_array(random.standard_normal((8, 3, 3, 3)).astype(np.float32), "w"),
        numpy_helper.from_array(3 * random.standard_normal((8, classes)).astype(np.float32), "fw"),
        numpy_helper.from_array(np.float32([2]), "two"),
        numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "fw"], ["scores"]),
        *endings,
    ]
    values = [helper.make_tensor_value_info(name, dtype, shape or ["n", classes]) for name in outputs]
    picture = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])
    graph = helper.make_graph(nodes, "g", [picture], values, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def node(kind, *inputs, output="y", **attributes):
    return helper.make_node(kind, list(inputs or ["scores"]), [output], **attributes)


@pytest.fixture
def exported(tmp_path):
    """Export a model as a classifier; what was found out, and the classifier."""

    def build(model, **metadata):
        onnx.save(model, tmp_path / "given.onnx")
        report = export(
            tmp_path / "given.onnx", tmp_path / "o.onnx", metadata={"task": "classify"} | metadata, force=True
        )
        assert report.parity.agreement == 100
        return report.metadata.spec, load(tmp_path / "o.onnx")

    return build


DECOMPOSED = (
    node("Exp", output="e"),
    helper.make_node("ReduceSum", ["e"], ["s"], keepdims=1, axes=[1]),
    node("Div", "e", "s"),
)


@pytest.mark.parametrize(
    ("endings", "activation"),
    [
        ([node("Identity")], "none"),
        ([node("Softmax", axis=1)], "softmax"),
        ([node("Softmax", axis=-1, output="s"), node("Unsqueeze", "s", "axes")], "softmax"),
        ([node("LogSoftmax", axis=1)], "log_softmax"),
        ([node("Sigmoid")], "sigmoid"),
        ([node("Unsqueeze", "scores", "axes")], "none"),
        ([node("Softmax", output="s"), node("Mul", "s", "two", output="d"), node("Div", "d", "two")], "softmax"),
    ],
)  # fmt: skip
def test_the_probabilities_are_those_of_the_network(exported, endings, activation):
    shape = ["n", CLASSES, 1, 1] if "Unsqueeze" in [ending.op_type for ending in endings] else None
    spec, classify = exported(network(*endings, shape=shape))
    assert spec == ClassificationSpec(activation=Activation(activation))
    with classify:
        answer = classify(np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8))
        (raw,) = classify.engine.run({"x": classify._preprocess(np.zeros((16, 16, 3), np.uint8))[None]})
    assert answer.probabilities.shape == (CLASSES,)
    assert (answer.probabilities.sum() == pytest.approx(1, abs=1e-5)) == (activation != "sigmoid")
    assert raw.size == CLASSES
    np.testing.assert_allclose(
        answer.probabilities,
        {"none": lambda s: np.exp(s - s.max()) / np.exp(s - s.max()).sum(), "log_softmax": np.exp}.get(
            activation, lambda s: s
        )(answer.scores),
        atol=1e-6,
    )


@pytest.mark.parametrize(("endings", "activation"), [([node("Identity")], "none"), ([node("Sigmoid")], "sigmoid")])
@pytest.mark.parametrize("labels", [[], ["cat"], ["dog", "cat"]])
def test_one_score_is_told_as_two_classes_and_never_always_sure(exported, endings, activation, labels):
    spec, classify = exported(network(*endings, classes=1), labels=labels)
    assert spec.activation is Activation(activation)
    with classify:
        assert classify.labels[1] == ("cat" if labels else "class 1")
        random = np.random.default_rng(0)
        answers = classify([random.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(3)])
    assert all(0 < answer.probability < 1 for answer in answers)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (network(node("Softmax", axis=1), classes=1), "softmax over one score"),
        (network(node("ArgMax", axis=1, keepdims=0), dtype=TensorProto.INT64, shape=["n"]), "'y' is int64"),
        (network(node("ArgMax", axis=1, output="a"), node("Cast", "a", to=1), shape=["n", 1]), "ends in ArgMax"),
        (network(node("Softmax", axis=0)), "not what that gives over the classes"),
        (network(node("Softmax", output="s"), node("Mul", "s", "two")), "behind its Softmax .* without that step"),
        (network(node("Sigmoid", output="s"), node("Div", "s", "two")), "cannot be told from Div; .*--activation"),
        (network(node("Sigmoid", output="s"), node("Div", "s", "two"), classes=1), "--activation"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused_with_the_way_out(exported, model, message):
    with pytest.raises(InputError, match=message):
        exported(model)


def test_the_user_knows_better_unless_the_scores_show_otherwise(exported):
    spec, classify = exported(
        network(node("Sigmoid", output="s"), node("Div", "s", "two")), classification={"activation": "sigmoid"}
    )
    classify.close()
    assert spec.activation is Activation.SIGMOID
    with pytest.raises(InputError, match="which is no softmax"):
        exported(network(node("Identity")), classification={"activation": "softmax"})
    spec, classify = exported(network(node("Identity")), classification={"multi_label": True})
    with classify:
        assert classify(np.full((16, 16, 3), 200, np.uint8)).probabilities.sum() != pytest.approx(1)
    assert spec.multi_label


def test_a_classifier_of_one_score_is_evaluated_on_two_classes(exported, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "data" / name).mkdir(parents=True)
    _, classify = exported(network(node("Identity"), classes=1), labels=["cat", "dog"])
    random = np.random.default_rng(0)
    with classify:
        for index in range(6):
            picture = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "data" / classify(picture).label / f"{index}.png")
        report = evaluate_classifier(classify, ImageFolder(tmp_path / "data"), quiet=True)
    assert (report.images, report.top1) == (6, 100)
