"""LiteRT and NCNN: what they compute, what they refuse, and that no file that a stranger made ends the process."""

import random
import subprocess
import sys
from pathlib import Path

import colour_models
import numpy as np
import pytest

from edgevision.core.errors import DeviceError, ModelFileError
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata_beside import metadata_path
from edgevision.modelfiles.model_facts import read_facts
from edgevision.modelfiles.model_file import companions, describe, read_metadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.load import load

FORMATS = ("colours.tflite", "colours.ncnn.param")


@pytest.mark.parametrize("name", FORMATS)
def test_an_engine_computes_what_the_file_says(write_colours, name):
    pictures = np.random.default_rng(0).random((3, 3, 8, 8), np.float32)
    with open_engine(write_colours(name), threads=1) as engine:
        (logits,) = run_batched(engine, [pictures])
        again = engine.run({"image": pictures[:1]})[0]
        kept = again.copy()
        engine.run({"image": pictures[1:2]})
        np.testing.assert_array_equal(again, kept)
        assert (engine.device, engine.assignment.elsewhere()) == ("cpu", {})
        assert engine.name.startswith(("LiteRT", "NCNN"))
    assert sqnr_db(10 * pictures.mean((2, 3)), logits) > 100


@pytest.mark.parametrize("name", FORMATS)
def test_a_pipeline_runs_on_it(write_colours, paint, name):
    with load(write_colours(name)) as classify:
        assert [classify(paint(colour)).label for colour in ("green", "red")] == ["green", "red"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shape", [(1, 3, 9, 8), (2, 3, 8, 8), (3, 8, 8)])
def test_an_input_of_another_shape_is_refused(write_colours, name, shape):
    with open_engine(write_colours(name)) as engine, pytest.raises(ValueError, match="the model takes 'image' of"):
        engine.run({"image": np.zeros(shape, np.float32)})


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_input_is_named(write_colours, name):
    with open_engine(write_colours(name)) as engine, pytest.raises(ValueError, match="also takes image"):
        engine.run({})


@pytest.mark.parametrize("name", FORMATS)
def test_the_metadata_travel_with_it(write_colours, name):
    path = write_colours(name)
    metadata = read_metadata(path)
    assert metadata is not None
    assert metadata.name == "colours"
    assert read_facts(path).inputs == (metadata.inputs[0].updated(value_range=None),)
    assert companions(path) == (() if name.endswith("tflite") else ("colours.ncnn.bin", "colours.ncnn.edgevision.json"))


def test_a_strangers_ncnn_model_has_names_and_no_shapes(write_colours):
    graph = describe(write_colours("colours.param", None)).graph
    assert graph is not None
    assert [(spec.name, spec.shape) for spec in (*graph.inputs, *graph.outputs)] == [
        ("image", ("?",)),
        ("logits", ("?",)),
    ]


def test_an_ncnn_model_without_metadata_does_not_run(write_colours):
    with pytest.raises(ModelFileError, match="carries no edgevision metadata"):
        open_engine(write_colours("colours.param", None))


def test_ncnn_names_the_layer_it_does_not_have(write_colours):
    path = write_colours("colours.param")
    path.write_text(colour_models.PARAM.replace("Pooling", "Tensor.slice"))
    with pytest.raises(DeviceError, match=r"it has no layer Tensor\.slice"):
        open_engine(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("7767517", "7767518", "begins with 7767517"),
        ("3 3\n", "4 3\n", "says '4 3' and has 3 layers"),
        ("3 3\n", "999999999999 3\n", "a number"),
        ("3 3\n", "3 4\n", "says 4 tensors and has 3"),
        ("1 1 image mean", "1 1 image", "lacks some of its 1 . 1 tensors"),
        ("1 1 image mean", "1 1 picture mean", "takes 'picture', which no layer before it gives"),
        ("mean logits", "mean image", "gives what another layer gives"),
        ("1=1 2=10", "2=10", "BinaryOp 'ten' takes 1 and gives 1"),
        ("mean 1 1 image mean", "mean 0 1 mean", "Pooling 'mean' takes 0 and gives 1"),
        ("0=1 4=1", "99=1", "a parameter '99=1'"),
        ("0=1 4=1", "-23303=4000,1", "an array"),
        ("mean 0=1", "m" * 300 + " 0=1", "a name of more than 255"),
    ],
)
def test_a_param_file_that_contradicts_itself_is_damaged(tmp_path, old, new, words):
    path = tmp_path / "net.param"
    colour_models.write_ncnn(path, None)
    assert colour_models.PARAM.count(old) >= 1
    path.write_text(colour_models.PARAM.replace(old, new, 1))
    with pytest.raises(ModelFileError, match=words):
        describe(path)


def test_an_ncnn_model_without_all_of_its_weights_is_refused(tmp_path):
    path = tmp_path / "net.param"
    path.write_text(
        colour_models.PARAM.replace("BinaryOp ten 1 1 mean logits 0=2 1=1 2=10", "PReLU p 1 1 mean logits 0=3")
    )
    with pytest.raises(ModelFileError, match=r"'net\.bin' belongs beside it"):
        open_engine(path)
    path.with_suffix(".bin").write_bytes(b"12")
    with pytest.raises(ModelFileError, match="cut off"):
        open_engine(path)


def test_metadata_beside_that_are_no_json_are_refused(tmp_path):
    path = tmp_path / "net.param"
    colour_models.write_ncnn(path, None)
    metadata_path(path).write_text("{")
    with pytest.raises(ModelFileError, match="metadata that is not JSON"):
        describe(path)


# What opening and running damaged files does to a process, told by how many got to each end.
_PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from edgevision.core.errors import EdgevisionError
from edgevision.runtime.devices.opening import open_engine

for path in map(Path, sys.argv[1:]):
    try:
        with open_engine(path, threads=1) as engine:
            engine.run({spec.name: np.zeros(spec.shape, spec.dtype) for spec in engine.inputs})
    except (EdgevisionError, ValueError):
        pass
    print(path.name, flush=True)
"""


@pytest.mark.parametrize("name", FORMATS)
def test_no_damaged_file_ends_the_process(write_colours, tmp_path: Path, name: str) -> None:
    path = write_colours(name)
    content = path.read_bytes()
    generator = random.Random(0)
    damaged = [content[: len(content) * part // 12] for part in range(12)]
    damaged += [generator.randbytes(200), content[:8] + generator.randbytes(200)]
    for _ in range(60):
        changed = bytearray(content)
        for _ in range(generator.choice([1, 2, 8])):
            place = generator.randrange(len(changed)) & ~3
            number = generator.choice([0, 1, generator.randrange(64), 2**31 - 1, 2**32 - 1]).to_bytes(4, "little")
            changed[place : place + 4] = b"%4d" % generator.randrange(99) if name.endswith("param") else number
        damaged.append(bytes(changed))
    files = []
    for number, data in enumerate(damaged):
        file = tmp_path / f"{number}{path.suffix}"
        file.write_bytes(data)
        file.with_suffix(".bin").write_bytes(bytes(64))
        if path.suffix == ".param":
            metadata_path(file).write_bytes(metadata_path(path).read_bytes())
        files.append(file)
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *map(str, files)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert (run.returncode, run.stdout.split()) == (0, [file.name for file in files]), run.stderr[-2000:]
