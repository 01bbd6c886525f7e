"""Somebody else's ONNX models: of any age, type and rank they are exported, or refused in a sentence that names why."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import edgevision.exporters.export as exporting
import edgevision.exporters.sources.foreign_model as foreign_model
from edgevision.core.errors import InputError, ModelFileError
from edgevision.exporters.export import export
from edgevision.exporters.sources.foreign_model import load_foreign_model
from edgevision.modelfiles.model_facts import read_facts
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.load import load

FLOAT, HALF, DOUBLE, BYTE, INT = (
    TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8, TensorProto.INT64
)  # fmt: skip


def weights(name, *shape, dtype=np.float32):
    values = np.random.default_rng(0).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return numpy_helper.from_array(values.astype(dtype), name)


def value(name, kind, *shape):
    return helper.make_tensor_value_info(name, kind, list(shape))


def node(kind, inputs, outputs=("y",), **attributes):
    return helper.make_node(kind, list(inputs), list(outputs), **attributes)


def model(nodes, inputs, outputs, initializers=(), *, opset=17, ir=8, domains=(), functions=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir, functions=list(functions))


def pointwise(kind, *shape):
    return model([node("Relu", ["x"])], [value("x", kind, *shape)], [value("y", kind, *shape)])


CONV = node("Conv", ["x", "w"])
OLD = model(
    [CONV], [value("x", FLOAT, 1, 3, 8, 8), value("w", FLOAT, 8, 3, 3, 3)], [value("y", FLOAT, 1, 8, 6, 6)],
    [weights("w", 8, 3, 3, 3)], opset=8, ir=3,
)  # fmt: skip
FUNCTION = helper.make_function("my.own", "F", ["a"], ["b"], [node("Relu", "a", "b")], [helper.make_opsetid("", 17)])
TAKEN = {
    "of version 3 with weights among its inputs": OLD,
    "of half precision": model(
        [CONV], [value("x", HALF, "n", 3, 8, 8)], [value("y", HALF, "n", 8, 6, 6)],
        [weights("w", 8, 3, 3, 3, dtype=np.float16)],
    ),
    "of double precision": model(
        [node("MatMul", ["x", "w"])], [value("x", DOUBLE, "n", 5)], [value("y", DOUBLE, "n", 2)],
        [weights("w", 5, 2, dtype=np.float64)],
    ),
    "of a list": pointwise(FLOAT, 7),
    "of a list of any length": pointwise(FLOAT, "k"),
    "of a number": pointwise(FLOAT),
    "of volumes": pointwise(FLOAT, "n", 3, 2, 4, 4),
    "of dynamic axes written as -1": pointwise(FLOAT, -1, 3, 8, 8),
    "of indices": model(
        [node("Gather", ["e", "i"])], [value("i", INT, "n", 5)], [value("y", FLOAT, "n", 5, 3)], [weights("e", 2, 3)]
    ),
    "of bytes with the channels last": model(
        [node("Cast", ["x"], to=1)], [value("x", BYTE, 1, 8, 8, 3)], [value("y", FLOAT, 1, 8, 8, 3)]
    ),
    "of two inputs of two ranks": model(
        [node("Mul", ["a", "b"])], [value("a", FLOAT, "n", 4), value("b", FLOAT)], [value("y", FLOAT, "n", 4)]
    ),
    "with a function": model(
        [node("F", ["x"], domain="my.own")], [value("x", FLOAT, "n", 3, 8, 8)], [value("y", FLOAT, "n", 3, 8, 8)],
        domains=["my.own"], functions=[FUNCTION],
    ),
    "without its output's shape": model(
        [node("Relu", ["x"])], [value("x", FLOAT, "n", 3)], [helper.make_tensor_value_info("y", FLOAT, None)]
    ),
    "with odd names": model(
        [node("Relu", ["a b/é:0\n"], ["ÿ\x1b;"], name="\x1b]0;t\x07")],
        [value("a b/é:0\n", FLOAT, "n", 3, 8, 8)], [value("ÿ\x1b;", FLOAT, "n", 3, 8, 8)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("given", TAKEN.values(), ids=TAKEN)
def test_it_becomes_a_valid_model_that_runs(given, precision, tmp_path):
    onnx.save(given, tmp_path / "given.onnx")
    report = export(tmp_path / "given.onnx", tmp_path / "o.onnx", precision=precision)
    assert report.verdict == "good"
    onnx.checker.check_model(tmp_path / "o.onnx")
    with open_engine(tmp_path / "o.onnx") as engine:
        assert [spec.name for spec in engine.inputs] == [i.name for i in given.graph.input if i.name != "w"]


def test_a_foreign_model_is_opened_once_however_much_is_asked_of_it(tmp_path, monkeypatch):
    onnx.save(pointwise(FLOAT, "n", 3, "h", "w"), tmp_path / "given.onnx")
    opened = []

    def open_noted(source, *arguments, **options):
        opened.append(source.name)
        return open_engine(source, *arguments, **options)

    for module in (foreign_model, exporting):
        monkeypatch.setattr(module, "open_engine", open_noted)
    report = export(tmp_path / "given.onnx", tmp_path / "done.onnx", input_shape=(1, 3, 8, 8))
    assert set(report.dynamic) == {"batch", "height", "width"}
    assert opened == ["given.onnx", "done.onnx"]


def sparse(name, dense, *, by_axis=False):
    where = np.argwhere(dense) if by_axis else np.flatnonzero(dense)
    values = numpy_helper.from_array(dense[dense != 0], name)
    return helper.make_sparse_tensor(values, numpy_helper.from_array(where, f"{name}_at"), dense.shape)


def sparse_model(*, by_axis=False):
    """Sparse weights of the graph, of a branch of it and of a constant: (x * w + c) * (v where x is large, else u)."""

    def branch(name, factors):
        nodes = [node("Mul", ["z", name], [f"{name}z"])]
        graph = helper.make_graph(nodes, name, [], [value(f"{name}z", FLOAT, "n", 3, 8, 8)])
        factors = np.array(factors, np.float32).reshape(1, 3, 1, 1)
        graph.sparse_initializer.append(sparse(name, factors, by_axis=by_axis))
        return graph

    kernel = np.array([[0, 2, 0], [0.5, 0, 0], [0, 0, 1]], np.float32).reshape(3, 3, 1, 1)
    added = np.array([0, 0, 3], np.float32).reshape(1, 3, 1, 1)
    nodes = [
        node("Constant", [], ["c"], sparse_value=sparse("", added, by_axis=by_axis)),
        node("Conv", ["x", "w"], ["k"]),
        node("Add", ["k", "c"], ["z"]),
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Greater", ["m", "limit"], ["large"]),
        node("If", ["large"], ["y"], then_branch=branch("v", [1, 0, 2]), else_branch=branch("u", [0, 4, 1])),
    ]
    ends = value("x", FLOAT, "n", 3, 8, 8), value("y", FLOAT, "n", 3, 8, 8)
    given = model(nodes, ends[:1], ends[1:], [numpy_helper.from_array(np.float32(1), "limit")])
    given.graph.sparse_initializer.append(sparse("w", kernel, by_axis=by_axis))
    onnx.checker.check_model(given)
    return given


@pytest.mark.parametrize("by_axis", [False, True])
def test_sparse_weights_count_wherever_they_are(by_axis, tmp_path):
    onnx.save(sparse_model(by_axis=by_axis), tmp_path / "given.onnx")
    report = export(tmp_path / "given.onnx", tmp_path / "o.onnx")
    assert report.verdict == "good"
    x = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    kept = np.stack([2 * x[:, 1], 0.5 * x[:, 0], x[:, 2] + 3], 1)
    with open_engine(tmp_path / "o.onnx") as engine:
        (small,), (large,) = engine.run({"x": x}), engine.run({"x": x + 2})
    shifted = kept + np.array([4, 1, 2], np.float32).reshape(3, 1, 1)
    assert np.allclose(small, kept * np.array([0, 4, 1], np.float32).reshape(3, 1, 1))
    assert np.allclose(large, shifted * np.array([1, 0, 2], np.float32).reshape(3, 1, 1))


@pytest.mark.parametrize(
    ("dims", "position", "message"), [([3, 3, 1, 1], 9, "ind"), ([3, 3, 2**20, 2**20], 1, "more than 2 GiB")]
)
def test_sparse_weights_that_cannot_be_are_refused(dims, position, message, tmp_path):
    given = sparse_model()
    (kernel,) = given.graph.sparse_initializer
    kernel.CopyFrom(
        helper.make_sparse_tensor(
            numpy_helper.from_array(np.ones(1, np.float32), "w"),
            numpy_helper.from_array(np.array([position]), "w_at"),
            dims,
        )
    )
    onnx.save(given, tmp_path / "given.onnx")
    with pytest.raises(ModelFileError, match=f"no valid ONNX model: .*{message}"):
        load_foreign_model(tmp_path / "given.onnx")


@pytest.mark.parametrize("place", ["name", "op_type", "doc_string"])
def test_text_in_no_encoding_makes_a_model_invalid(tmp_path, place):
    given = onnx.ModelProto()
    given.CopyFrom(OLD)
    setattr(given.graph.node[0], place, "QQQQ")
    (tmp_path / "given.onnx").write_bytes(given.SerializeToString().replace(b"QQQQ", b"\xff\xfe\xff\xfe"))
    with pytest.raises(ModelFileError):
        load_foreign_model(tmp_path / "given.onnx")


def test_the_newest_and_the_oldest_operators_are_taken(tmp_path):
    for opset, ir in ((7, 3), (24, 11)):
        given = onnx.ModelProto()
        given.CopyFrom(OLD)
        given.opset_import[0].version, given.ir_version = opset, ir
        onnx.save(given, tmp_path / "given.onnx")
        export(tmp_path / "given.onnx", tmp_path / "o.onnx", force=True)
        onnx.checker.check_model(tmp_path / "o.onnx")


def without_opsets():
    given = onnx.ModelProto()
    given.CopyFrom(OLD)
    given.ClearField("opset_import")
    return given


def typed(kind, nodes, domain=""):
    graph = helper.make_graph(nodes, "g", [value("x", FLOAT, 1, 3)], [helper.make_value_info("o", kind)])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


TENSOR = helper.make_tensor_type_proto(FLOAT, [1, 3])
MAP = helper.make_map_type_proto(INT, helper.make_tensor_type_proto(FLOAT, []))
REFUSED = [
    (
        model(
            [node("Decode", ["x"], domain="com.example")], [value("x", BYTE, "n")], [value("y", FLOAT, "n")],
            domains=["com.example"],
        ),
        "operators of extensions that no engine here has: com.example.Decode",
    ),
    (typed(helper.make_sequence_type_proto(TENSOR), [node("SequenceConstruct", "x", "o")]), "'o' .* is a sequence"),
    (typed(helper.make_optional_type_proto(TENSOR), [node("Optional", "x", "o")]), "'o' .* is optional"),
    (
        typed(
            helper.make_sequence_type_proto(MAP),
            [node("ZipMap", "x", "o", domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2])],
        ),
        "a sequence; .*zipmap=False",
    ),
    (pointwise(TensorProto.STRING, 1), "'x' .* is text"),
    (model([], [value("x", FLOAT, 1)], [value("x", FLOAT, 1)]), "no operators"),
    (without_opsets(), r"in which version \(opset_import\) it uses the operators of ai.onnx"),
    (model([node("Constant", [], value=weights("c", 3))], [], [value("y", FLOAT, 3)]), "no inputs"),
    (pointwise(FLOAT, 0, 3), "no side may be 0"),
    (pointwise(FLOAT, "n", "n"), "'x' is nxn: give --input-shape"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_cannot_be_taken_is_named(given, message, tmp_path):
    onnx.save(given, tmp_path / "given.onnx")
    with pytest.raises((InputError, ModelFileError), match=message) as caught:
        export(tmp_path / "given.onnx", tmp_path / "o.onnx")
    assert not (tmp_path / "o.onnx").exists()
    assert "--input-shape" not in str(caught.value) or "nxn" in str(caught.value)


def test_a_convolution_in_float64_is_refused_by_that_name(tmp_path):
    inputs, outputs = [value("x", DOUBLE, 1, 3, 8, 8)], [value("y", DOUBLE, 1, 8, 6, 6)]
    onnx.save(model([CONV], inputs, outputs, [weights("w", 8, 3, 3, 3, dtype=np.float64)]), tmp_path / "wide.onnx")
    with pytest.raises(ModelFileError, match="its weights are float64: make it again in float32"):
        export(tmp_path / "wide.onnx", tmp_path / "o.onnx", metadata={"task": "other"})


def test_a_classifier_of_half_precision_and_of_bytes_takes_pictures(tmp_path):
    nodes = [
        node("Cast", ["x"], ["f"], to=FLOAT),
        node("GlobalAveragePool", ["f"], ["p"]),
        node("Flatten", ["p"], ["y"]),
    ]
    for kind, ends in ((HALF, [0, 1]), (BYTE, [0, 255])):
        onnx.save(model(nodes, [value("x", kind, "n", 3, 8, 8)], [value("y", FLOAT, "n", 3)]), tmp_path / "given.onnx")
        metadata = {"task": "classify", "image": {"value_range": ends}, "labels": ["r", "g", "b"]}
        export(tmp_path / "given.onnx", tmp_path / "o.onnx", metadata=metadata, force=True)
        with load(tmp_path / "o.onnx") as classify:
            answer = classify(np.full((8, 8, 3), (0, 200, 0), np.uint8))
        assert answer.label == "g"
        assert answer.scores[1] == pytest.approx(200 / 255 * ends[1], rel=1e-3)


def test_scores_are_found_beside_the_classes_numbers(tmp_path):
    nodes = [
        node("GlobalAveragePool", ["x"], ["p"]),
        node("Flatten", ["p"], ["s"]),
        node("ArgMax", ["s"], ["n"], axis=1),
    ]
    outputs = [value("n", INT, "b", 1), value("s", FLOAT, "b", 3)]
    onnx.save(model(nodes, [value("x", FLOAT, "b", 3, 8, 8)], outputs), tmp_path / "given.onnx")
    report = export(tmp_path / "given.onnx", tmp_path / "o.onnx", metadata={"task": "classify"})
    assert report.metadata.outputs[0].name == "s"
    assert any("'s' is put first" in note for note in report.notes)


def test_weights_are_counted_wherever_they_are(tmp_path):
    inner = [node("Constant", [], ["k"], value_floats=[1.0, 2.0, 3.0]), node("Add", ["a", "k"], ["b"])]
    function = helper.make_function("my.own", "F", ["a"], ["b"], inner, [helper.make_opsetid("", 17)])
    branch = helper.make_graph([node("Add", ["z", "v"], ["o"])], "b", [], [value("o", FLOAT, 3)], [weights("v", 3)])
    nodes = [
        node("Constant", [], ["w"], value=weights("c", 3, 3)),
        node("Constant", [], ["i"], value_ints=[1, 1]),
        node("Constant", [], ["one"], value_float=1.0),
        node("F", ["x"], ["f"], domain="my.own"),
        node("MatMul", ["f", "w"], ["z"]),
        node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
    ]
    inputs = [value("x", FLOAT, 3), value("c", TensorProto.BOOL)]
    onnx.save(
        model(nodes, inputs, [value("y", FLOAT, 3)], domains=["my.own"], functions=[function]), tmp_path / "m.onnx"
    )
    facts = read_facts(tmp_path / "m.onnx")
    assert facts.weights == 3 + 9 + 2 + 1 + 2 * 3
    assert facts.operators["my.own.F"] == 1
