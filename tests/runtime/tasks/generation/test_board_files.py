"""What generation brings back from a board."""

from pathlib import Path

import pytest
from PIL import Image

from edgevision.core.errors import ImageError
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.generation.board_files import generate_files

RAN = {"model": "m", "name": "n", "device": "cpu", "engine": "e", "nodes": {}, "seconds": 0.1}

pytestmark = pytest.mark.usefixtures("elsewhere")


def command_for(**values):
    given = {"model": None, "count": 2, "between": None, "seed": 7, "force": False, "output": "s.png", "zoom": 1}
    command = RemoteCommand("run generate", [], given | values)
    generate_files(command)
    return command


def targets(command):
    return {name: output.target for name, output in command.outputs.items()}


def test_a_sheet_comes_back_as_one_file_and_cards_each_as_its_own():
    assert targets(command_for()) == {"out/00001.png": Path("s.png")}
    assert targets(command_for(output="cards/")) == {f"out/7-000{n}.png": Path(f"cards/7-000{n}.png") for n in (0, 1)}


@pytest.mark.parametrize("output", ["s.png", "cards/"])
@pytest.mark.parametrize(("force", "existing"), [(False, "refuse"), (True, "replace")])
def test_force_decides_over_what_came_to_be_meanwhile(output, force, existing):
    command = command_for(output=output, force=force)
    assert {each.existing for each in command.outputs.values()} == {existing}


def test_without_a_model_the_one_that_ships_is_sent_and_nothing_else():
    assert command_for().inputs == {"model/00001/generate.onnx": shipped_model("generate")}


def test_a_document_names_the_files_that_were_asked_for_and_no_others():
    command = command_for(output="cards/")
    names = list(command.outputs)
    document = RAN | {"outputs": names}
    assert command.read_document(document, Fetched(frozenset(names), {})) == document
    refused = Fetched(frozenset(names[:1]), {names[1]: "it is no picture"})
    assert command.read_document(document, refused) == RAN | {"outputs": names[:1]}
    with pytest.raises(ValueError, match="was not asked for"):
        command.read_document(RAN | {"outputs": ["../out/1.png"]}, Fetched(frozenset(), {}))


@pytest.mark.parametrize(("zoom", "size"), [(1, (66, 66)), (3, (2 * (96 + 12) + 2, 2 * 96 + 2))])
def test_a_sheet_that_comes_back_has_the_size_of_what_was_asked_for(tmp_path, zoom, size):
    sheet = tmp_path / "sheet.png"
    check = command_for(count=3, zoom=zoom).outputs["out/00001.png"].check
    Image.new("RGB", size[::-1]).save(sheet)
    check(sheet)
    Image.new("RGB", (size[1], size[0] + 1)).save(sheet)
    with pytest.raises(ImageError, match=f"pixels instead of {size[1]}x{size[0]}"):
        check(sheet)
