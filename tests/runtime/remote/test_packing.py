"""What a verb's command line becomes for a board."""

import inspect
from pathlib import Path
from typing import Annotated

import onnx
import pytest
import typer
from onnx import numpy_helper
from onnx.external_data_helper import convert_model_to_external_data
from PIL import Image

from edgevision.cli.app import VERBS
from edgevision.cli.groups import VerbGroup
from edgevision.cli.options import JsonOption
from edgevision.core.errors import InputError, OutputError
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.commands.command_words import command_words
from edgevision.runtime.commands.packing import PACKERS, pack
from edgevision.runtime.remote.board import Board
from edgevision.runtime.remote.job import Environment, Job
from edgevision.runtime.remote.wheel import Wheel

RESTORE = {"output": None, "model": None, "compare": None, "force": False, "resume": False}


@pytest.fixture
def photos(tmp_path):
    """A folder with pictures whose names must not become words."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("-rf.png", "b c.jpg", "d.gif"):
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


def verb(
    inputs: Annotated[list[str], typer.Argument()],
    plain: float = 1.0,
    named: Annotated[str | None, typer.Option("--other", "-o")] = None,
    many: Annotated[list[int] | None, typer.Option("--many")] = None,
    switch: Annotated[bool, typer.Option("--on-or-off/--neither")] = True,
    as_json: JsonOption = False,
) -> None:
    """Declared as the verbs are."""


def words(**values):
    parameters = list(inspect.signature(verb).parameters.values())
    defaults = {p.name: p.default for p in parameters}
    return command_words(parameters, defaults | values)


def test_values_become_the_words_that_give_them():
    assert words(inputs=["a", "-b"]) == ["--", "a", "-b"]
    given = words(inputs=["a"], plain=0.5, named="-x y", many=[1, 2], switch=False, as_json=True)
    assert given == ["--plain=0.5", "--other=-x y", "--many=1", "--many=2", "--neither", "--json", "--", "a"]


def test_every_verb_with_on_is_in_the_table():
    targets = {}
    for name, entry in VERBS.items():
        inner = entry.verbs if isinstance(entry, VerbGroup) else {None: entry}
        targets |= {f"{name} {n}" if n else name: e.target for n, e in inner.items()}
    from importlib import import_module

    taking = set()
    for name, target in targets.items():
        module, function = target.split(":")
        if "on" in inspect.signature(getattr(import_module(module), function)).parameters:
            taking.add(name)
    assert taking == set(PACKERS)


def test_no_name_of_a_user_is_a_word_on_the_board(photos):
    freight = pack("run denoise", RESTORE | {"inputs": [str(photos)], "output": "out/"})
    assert freight.values["inputs"] == ["in/00001.png", "in/00002.jpg", "in/00003.gif"]
    assert freight.bring == {
        "out/00001.png": Path("out/-rf.png"),
        "out/00002.jpg": Path("out/b c.jpg"),
        "out/00003.png": Path("out/d.png"),
    }
    assert not Path("out").exists()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_a_single_result_has_the_ending_that_the_user_chose(photos, tmp_path):
    values = RESTORE | {"inputs": [str(photos / "b c.jpg")], "output": "x.webp", "compare": Path("y.png")}
    freight = pack("run denoise", values)
    assert (freight.values["output"], freight.values["compare"]) == ("out/00001.webp", Path("compare/00001.png"))
    assert freight.bring == {"out/00001.webp": Path("x.webp"), "compare/00001.png": Path("y.png")}


def test_text_of_the_board_is_put_in_the_users_names(photos, write_colours):
    model = write_colours()
    freight = pack("run denoise", RESTORE | {"inputs": [str(photos)], "output": "out/", "model": model})
    text = "'in/00002.jpg': bad; out/00001.png, model/00001/colours.onnx and in/99999.jpg in main/00001.png."
    assert freight.in_users_names(text) == (
        f"'{photos}/b c.jpg': bad; out/-rf.png, {model} and in/99999.jpg in main/00001.png."
    )


def test_an_openvino_model_brings_its_weights(write_colours):
    freight = pack("run classify", {"model": write_colours("colours.xml"), "inputs": []})
    assert set(freight.files) == {"model/00001/colours.xml", "model/00001/colours.bin"}
    assert freight.formats == {ModelFormat.OPENVINO}


def test_an_onnx_model_brings_its_external_weights(write_colours, tmp_path):
    model = onnx.load(write_colours())
    for tensor in model.graph.initializer:  # only raw data can lie outside
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    convert_model_to_external_data(model, location="weights.data", size_threshold=0, convert_attribute=False)
    (tmp_path / "outside").mkdir()
    onnx.save(model, tmp_path / "outside/m.onnx")
    freight = pack("run classify", {"model": tmp_path / "outside/m.onnx", "inputs": []})
    assert freight.files["model/00001/weights.data"] == tmp_path / "outside/weights.data"


def test_a_mask_for_all_goes_as_one_file_and_a_folder_one_by_one(photos, tmp_path):
    (tmp_path / "masks").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "masks/d.png")
    values = RESTORE | {"output": "out/", "from_alpha": False}
    one = pack("run inpaint", values | {"inputs": [str(photos), str(tmp_path / "masks/d.png")]})
    assert one.values["inputs"][-1] == "mask/00001.png"
    each = pack("run inpaint", values | {"inputs": [str(photos), str(tmp_path / "masks")]})
    assert [name for name in each.files if name.startswith("mask/")] == ["mask/00003.png"]
    assert "masks' holds" in each.in_users_names("'mask/.' holds no mask")


def test_what_is_done_already_is_not_sent(photos):
    Path("out").mkdir()
    Path("out/-rf.png").touch()
    freight = pack("run denoise", RESTORE | {"inputs": [str(photos)], "output": "out/", "resume": True})
    assert len(freight.bring) == 2
    assert freight.amended == {"skipped": 1}


@pytest.mark.parametrize("mask", ["masks/b c.png", "masks", "-"])
def test_nothing_is_sent_where_all_is_done_already_the_mask_neither(photos, mask):
    for folder, suffix in (("masks", ".png"), ("out", ".jpg")):
        Path(folder).mkdir()
        Image.new("L", (8, 8)).save(Path(folder, "b c").with_suffix(suffix))
    values = RESTORE | {"output": "out/", "from_alpha": False, "resume": True}
    freight = pack("run inpaint", values | {"inputs": [str(photos / "b c.jpg"), mask]})
    assert (freight.values["inputs"], freight.files, freight.amended) == ([], {}, {"skipped": 1})


def test_codes_and_sheets_come_back_as_one_file(photos):
    codes = pack("run encode", {"inputs": [str(photos)], "output": Path("codes.npy"), "force": False})
    assert codes.bring == {"out/00001.npy": Path("codes.npy")}
    with pytest.raises(OutputError, match=r"\.npy"):
        pack("run encode", {"inputs": [str(photos)], "output": Path("codes.txt"), "force": False})
    drawing = {"count": 2, "between": None, "seed": 7, "force": False}
    assert pack("run generate", drawing | {"output": "s.png"}).bring == {"out/00001.png": Path("s.png")}
    cards = pack("run generate", drawing | {"output": "cards/"})
    assert cards.bring == {f"out/7-000{n}.png": Path(f"cards/7-000{n}.png") for n in (0, 1)}


@pytest.mark.parametrize("seen", [(), ("digests",)])
def test_a_file_that_vanishes_after_packing_ends_in_an_error_that_names_it(photos, local, seen):
    freight = pack("run classify", {"model": None, "inputs": [str(photos)]})
    job = Job((), freight.files)
    for name in seen:
        getattr(job, name)
    (photos / "d.gif").unlink()
    with pytest.raises(InputError, match=r"d\.gif' cannot be sent to the board: No such file"):
        Board("local", local).begin(job, Environment(Wheel("w.whl", "1", "0" * 64, b""), ()))


def test_a_missing_model_is_said_before_anything_is_sent(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        pack("run classify", {"model": tmp_path / "no.onnx", "inputs": []})
