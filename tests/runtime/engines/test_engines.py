import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from fake_engine import FakeEngine
from onnx import TensorProto, helper

from edgevision.core.errors import DeviceError, InputError, ModelFileError, UnfitInputError
from edgevision.core.machine import Machine
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import TensorSpec
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.devices import availability as presence
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.openvino_engine import openvino_core

FORMATS = ["colours.onnx", "colours.xml"]


@pytest.mark.parametrize("name", FORMATS)
def test_an_engine_says_what_it_is_and_what_it_takes(write_colours, name):
    with open_engine(write_colours(name)) as engine:
        assert engine.device == "cpu"
        assert engine.provider in ("CPUExecutionProvider", "CPU")
        assert [spec.name for spec in engine.inputs] == ["image"]
        assert [spec.name for spec in engine.outputs] == ["logits"]
        assert engine.inputs[0].shape[1:] == (3, 8, 8)
        assert isinstance(engine.inputs[0].shape[0], str)
        assert engine.inputs[0].dtype == "float32"


def test_both_engines_compute_the_same(write_colours):
    batch = np.random.default_rng(0).random((5, 3, 8, 8), np.float32)
    with open_engine(write_colours(FORMATS[0])) as onnx_engine, open_engine(write_colours(FORMATS[1])) as ir_engine:
        a, b = onnx_engine.run({"image": batch})[0], ir_engine.run({"image": batch})[0]
    assert sqnr_db(a, b) > 100
    assert sqnr_db(10 * batch.mean((2, 3)), a) > 100


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shape", [(1, 3, 9, 8), (1, 4, 8, 8), (3, 8, 8)])
def test_an_input_of_another_shape_is_a_value_error(write_colours, name, shape):
    with open_engine(write_colours(name)) as engine, pytest.raises(ValueError, match="does not take this input"):
        engine.run({"image": np.zeros(shape, np.float32)})


@pytest.fixture
def fixed_inside(tmp_path):
    """A model for any height and width, by what it says, whose Reshape takes pictures of 8x8 only."""
    sides = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["image", "shape"], ["flat"], name="flatten"),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        "fixed_inside",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [
            helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 192]),
            helper.make_tensor("weights", TensorProto.FLOAT, [192, 2], np.ones(384).tolist()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "fixed.onnx")
    return tmp_path / "fixed.onnx"


@pytest.mark.parametrize("device", ["ort:cpu", "openvino:cpu"])
def test_a_size_that_does_not_fit_inside_is_said_with_the_operator_and_what_to_do(fixed_inside, need, device):
    need(device.split(":")[0].replace("ort", "onnxruntime"))
    with open_engine(fixed_inside, device) as engine:
        assert engine.run({"image": np.ones((1, 3, 8, 8), np.float32)})[0].tolist() == [[192, 192]]
        with pytest.raises(UnfitInputError) as caught:
            engine.run({"image": np.ones((1, 3, 9, 8), np.float32)})
    assert caught.value.exit_code == 2
    message = str(caught.value)
    assert "'image' of 1x3x9x8 does not fit its Reshape 'flatten'" in message
    assert message.endswith("make it the only one: edgevision export --static")
    assert "onnxruntime_src" not in message


def test_a_size_asked_for_that_does_not_fit_inside_is_said_so_too(fixed_inside, edgevision):
    code, _, error = edgevision("bench", fixed_inside, "--device", "ort:cpu", "--shape", "1x3x9x8", "-q")
    assert code == 2
    assert "'image' of 1x3x9x8 does not fit its Reshape 'flatten'" in error


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_input_is_a_value_error(write_colours, name):
    with open_engine(write_colours(name)) as engine, pytest.raises(ValueError, match="image"):
        engine.run({})


def test_results_stay_as_they_are_when_the_engine_runs_again(write_colours):
    with open_engine(write_colours("colours.xml")) as engine:
        first = engine.run({"image": np.ones((1, 3, 8, 8), np.float32)})[0]
        before = first.copy()
        engine.run({"image": np.zeros((1, 3, 8, 8), np.float32)})
        np.testing.assert_array_equal(first, before)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_input_that_changed_in_place_is_seen(write_colours, name, order):
    image = np.asarray(np.zeros((1, 3, 8, 8), np.float32), order=order)
    with open_engine(write_colours(name)) as engine:
        engine.run({"image": image})
        image[:, 1] = 1
        np.testing.assert_allclose(engine.run({"image": image})[0], [[0, 10, 0]], rtol=1e-6)


@pytest.mark.parametrize("name", FORMATS)
def test_threads_that_ask_at_the_same_time_get_their_own_answers(write_colours, name):
    def ask(red):
        image = np.zeros((1, 3, 8, 8), np.float32)
        image[:, 0] = red
        return engine.run({"image": image})[0][0, 0]

    with open_engine(write_colours(name)) as engine, ThreadPoolExecutor(4) as threads:
        np.testing.assert_allclose(list(threads.map(ask, range(400))), 10.0 * np.arange(400), rtol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_an_engine_loaded_for_one_shape_takes_no_other(write_colours, name):
    with open_engine(write_colours(name), shapes={"image": (2, 3, 8, 8)}) as engine:
        assert engine.inputs[0].shape == (2, 3, 8, 8)
        assert engine.run({"image": np.ones((2, 3, 8, 8), np.float32)})[0].shape == (2, 3)
        with pytest.raises(ValueError, match="does not take this input"):
            engine.run({"image": np.ones((1, 3, 8, 8), np.float32)})


def test_openvino_says_which_shape_a_model_cannot_be_loaded_for(write_restorer):
    with pytest.raises(InputError, match=r"denoise\.onnx' cannot be loaded for image 1x4x9x9: "):
        open_engine(write_restorer("denoise"), "openvino:cpu", shapes={"image": (1, 4, 9, 9)})


@pytest.mark.parametrize("name", FORMATS)
def test_threads_are_accepted(write_colours, name):
    with open_engine(write_colours(name), threads=1) as engine:
        assert engine.run({"image": np.zeros((1, 3, 8, 8), np.float32)})[0].shape == (1, 3)


def test_an_unknown_device_lists_the_known_ones(write_colours):
    with pytest.raises(DeviceError, match=r"no device 'tpu'; known: auto, cpu, cuda, tensorrt, gpu, npu"):
        open_engine(write_colours(), "tpu")


@pytest.mark.parametrize("device", ["gpu", "npu"])
def test_an_absent_openvino_device_says_what_is_there(write_colours, device):
    import openvino

    if device.upper() in openvino.Core().available_devices:
        pytest.skip("this machine has the device")
    with pytest.raises(DeviceError, match="sees only"):
        open_engine(write_colours("colours.xml"), device)


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_model_is_a_model_file_error(write_colours, name):
    path = write_colours(name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ModelFileError, match="damaged, cut off"):
        open_engine(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_file_with_a_models_name_is_a_model_file_error(tmp_path, name):
    (tmp_path / name).write_text("not a model\n")
    with pytest.raises(ModelFileError, match="damaged, cut off or not"):
        open_engine(tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_file_is_a_model_file_error(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ModelFileError, match="damaged, cut off or not"):
        open_engine(tmp_path / name)


def test_an_ir_without_its_weights_is_refused(write_colours):
    path = write_colours("colours.xml")
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelFileError, match=r"'colours\.bin' belongs beside it"):
        open_engine(path)


def test_a_custom_operator_is_named(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Swirl", ["x"], ["y"], domain="com.example")],
        "custom",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "custom.onnx")
    with pytest.raises(ModelFileError, match="Swirl"):
        open_engine(tmp_path / "custom.onnx")


def test_a_too_new_opset_is_named(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "new",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 999)], ir_version=10)
    onnx.save(model, tmp_path / "new.onnx")
    with pytest.raises(ModelFileError, match="999"):
        open_engine(tmp_path / "new.onnx")


def test_weights_outside_the_models_folder_are_refused(tmp_path):
    (tmp_path / "secret.bin").write_bytes(np.ones(4, np.float32).tobytes())
    inner = tmp_path / "model"
    inner.mkdir()
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4], np.ones(4, np.float32).tobytes(), raw=True)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret.bin")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "external",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (inner / "external.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=r"'\.\./secret\.bin'; they must lie in the model's own folder"):
        open_engine(inner / "external.onnx")


def test_a_missing_engine_names_the_extra_that_brings_it(write_colours, monkeypatch):
    path = write_colours()
    monkeypatch.setattr(presence, "find_spec", lambda name: None)
    with pytest.raises(
        DeviceError, match=r"(?s)onnxruntime is not installed.*to have it: .*pip install .*\[cpu\]'"
    ) as caught:
        open_engine(path)
    assert caught.value.exit_code == 3


def test_the_fake_engine_stands_in_for_a_real_one():
    spec = (TensorSpec(name="x", shape=(1,)),)
    with FakeEngine(spec, spec, lambda feeds: [feeds["x"] * 2]) as engine:
        np.testing.assert_array_equal(engine.run({"x": np.ones(1)})[0], [2])
    assert engine.closed
    assert engine.calls == 1


@pytest.mark.parametrize("device", ["ort:cpu", "openvino:cpu"])
def test_int8_weights_of_the_full_range_do_not_saturate_where_a_model_is_not_made_for_this_cpu(tmp_path, device):
    channels = 64
    make = helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "scale", "zero"], ["xq"]),
        make("DequantizeLinear", ["xq", "scale", "zero"], ["xd"]),
        make("DequantizeLinear", ["wq", "one", "wzero"], ["w"]),
        make("Conv", ["xd", "w"], ["c"], kernel_shape=[1, 1]),
        make("QuantizeLinear", ["c", "big", "zero"], ["cq"]),
        make("DequantizeLinear", ["cq", "big", "zero"], ["y"]),
    ]
    constants = {
        "scale": np.float32(1),
        "zero": np.uint8(0),
        "wq": np.full((8, channels, 1, 1), 127, np.int8),
        "one": np.float32(1),
        "wzero": np.int8(0),
        "big": np.float32(255 * 127 * channels / 200),
    }
    graph = helper.make_graph(
        nodes,
        "saturating",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 4, 4])],
        [onnx.numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )
    path = tmp_path / "saturating.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    with open_engine(path, device, threads=1) as engine:
        feeds = {"x": np.full((1, channels, 4, 4), 255, np.float32)}
        found = engine.run(feeds)[0]
        np.testing.assert_allclose(found, 255 * 127 * channels, rtol=1e-3)
        # What is profiled is what was measured.
        if device == "ort:cpu":
            profiled = engine.open_profiled(str(tmp_path / "profile")).run(None, feeds)[0]
        else:
            program = engine.compile(openvino_core().read_model(path), PERF_COUNT="YES")
            profiled = program.create_infer_request().infer(feeds)["y"]
        np.testing.assert_array_equal(profiled, found)


def config_entry(options, name):
    """What session options say under a name, or ``None``."""
    try:
        return options.get_session_config_entry(name)
    except RuntimeError:
        return None


AVX2, AVX512 = ("ssse3", "avx2", "fma"), ("ssse3", "avx2", "avx512f")


@pytest.mark.parametrize(
    ("features", "target", "widened"),
    [
        (("ssse3",), None, "1"),
        (AVX2, None, "1"),
        (AVX2, "x86-vnni", "1"),
        (AVX2, "arm64", "1"),
        (AVX2, "x86-avx2", None),
        (AVX512, None, "1"),
        ((*AVX2, "avx_vnni"), None, None),
        ((*AVX512, "avx512_vnni"), None, None),
        ((*AVX512, "avx512_vnni", "amx_int8"), "x86-vnni", None),
        ((*AVX512, "avx512_vnni", "amx_int8"), "arm64-dotprod", None),
        (("asimd",), None, None),
        # A CPU of which nothing is known, and a model that may be anything.
        ((), None, "1"),
    ],
)
def test_int8_is_widened_only_where_its_sums_saturate_and_the_model_was_not_made_for_that(
    write_colours, monkeypatch, features, target, widened
):
    here = Machine(processor="a CPU", cores=1, memory_gb=1.0, system="Linux", features=features)
    monkeypatch.setattr(Machine, "this", lambda: here)
    path = write_colours(FORMATS[0])
    with open_engine(path) as engine:
        metadata = read_metadata(path).updated(target=target)
        assert config_entry(engine._session_options(metadata, {}), "session.x64quantprecision") == widened


@pytest.mark.parametrize(
    ("features", "kept"), [(("ssse3",), True), (AVX512, True), ((*AVX512, "avx512_vnni"), False), ((), True)]
)
def test_openvino_computes_int8_in_float_where_its_sums_saturate(write_colours, monkeypatch, features, kept):
    here = Machine(processor="a CPU", cores=1, memory_gb=1.0, system="Linux", features=features)
    monkeypatch.setattr(Machine, "this", lambda: here)
    with open_engine(write_colours(FORMATS[0]), "openvino:cpu") as engine:
        assert ("LP_TRANSFORMS_MODE" in engine._properties) is kept


def test_without_keeping_memory_the_results_are_the_same(write_colours):
    batch = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    with (
        open_engine(write_colours(FORMATS[0])) as usual,
        open_engine(write_colours(FORMATS[0]), keep_memory=False) as lean,
    ):
        for _ in range(2):
            np.testing.assert_array_equal(usual.run({"image": batch})[0], lean.run({"image": batch})[0])


class Exhausted:
    """A session on a device whose memory is full."""

    def run(self, names, feeds):
        raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : CUDA failure 2: out of memory ; GPU=0")


def test_a_device_without_enough_memory_says_what_takes_less(write_colours):
    with open_engine(write_colours()) as engine:
        engine._session = Exhausted()
        with pytest.raises(DeviceError, match=r"not enough memory .*smaller --tile, --batch or picture") as caught:
            engine.run({"image": np.zeros((1, 3, 8, 8), np.float32)})
    assert caught.value.exit_code == 3


def test_a_closed_engine_does_not_run(write_colours):
    with open_engine(write_colours()) as engine:
        pass
    with pytest.raises(Exception, match="closed"):
        engine.run({"image": np.zeros((1, 3, 8, 8), np.float32)})


@pytest.fixture
def failing(tmp_path):
    """A model that loads and then does not take what it says it takes."""
    weights = onnx.numpy_helper.from_array(np.zeros((4, 5, 3, 3), np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "channels", 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", [x], [y], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "f.onnx")
    return tmp_path / "f.onnx"


@pytest.mark.parametrize(("level", "silent"), [(logging.INFO, True), (logging.DEBUG, False)])
def test_an_engine_writes_nothing_by_itself_but_while_debugging(failing, caplog, capfd, level, silent):
    with caplog.at_level(level, "edgevision"), open_engine(failing, threads=1) as engine:
        with pytest.raises((DeviceError, ValueError)):
            engine.run({"x": np.zeros((1, 3, 8, 8), np.float32)})
        out, err = capfd.readouterr()
    assert out == ""
    assert (err == "") is silent
