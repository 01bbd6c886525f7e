"""What restoration sends to a board, under which names, and what of it is taken back."""

from pathlib import Path

import pytest
from PIL import Image

from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.restoration.board_files import denoise_files, inpaint_files, result_size, upscale_files

VALUES = {"output": "out/", "model": None, "compare": None, "force": False, "resume": False}
RAN = {"model": "m", "name": "n", "device": "cpu", "engine": "e", "nodes": {}, "seconds": 1.0}

pytestmark = pytest.mark.usefixtures("elsewhere")


def command_for(files, **values):
    command = RemoteCommand("run denoise", [], VALUES | values)
    files(command)
    return command


def targets(command):
    return {name: output.target for name, output in command.outputs.items()}


def sent(command, folder):
    return [name for name in command.inputs if name.startswith(f"{folder}/")]


def test_no_name_of_a_user_is_an_argument_on_the_board(photos):
    command = command_for(denoise_files, inputs=[str(photos)])
    assert command.values["inputs"] == ["in/00001.png", "in/00002.jpg", "in/00003.gif"]
    assert targets(command) == {
        "out/00001.png": Path("out/-rf.png"),
        "out/00002.jpg": Path("out/b c.jpg"),
        "out/00003.png": Path("out/d.png"),
    }
    assert not Path("out").exists()


def test_a_single_result_has_the_ending_that_the_user_chose(photos):
    command = command_for(denoise_files, inputs=[str(photos / "b c.jpg")], output="x.webp", compare=Path("y.png"))
    assert (command.values["output"], command.values["compare"]) == ("out/00001.webp", Path("compare/00001.png"))
    assert targets(command) == {"out/00001.webp": Path("x.webp"), "compare/00001.png": Path("y.png")}


def test_text_of_the_board_is_put_in_the_users_names(photos, write_restorer):
    model = write_restorer("denoise")
    command = command_for(denoise_files, inputs=[str(photos)], model=model)
    text = "'in/00002.jpg': bad; out/00001.png, model/00001/denoise.onnx and in/99999.jpg in main/00001.png."
    assert command.in_user_names(text) == (
        f"'{photos}/b c.jpg': bad; out/-rf.png, {model} and in/99999.jpg in main/00001.png."
    )


def test_a_mask_for_all_goes_as_one_file_and_a_folder_one_by_one(photos, tmp_path):
    (tmp_path / "masks").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "masks/d.png")
    one = command_for(inpaint_files, from_alpha=False, inputs=[str(photos), str(tmp_path / "masks/d.png")])
    assert one.values["inputs"][-1] == "mask/00001.png"
    each = command_for(inpaint_files, from_alpha=False, inputs=[str(photos), str(tmp_path / "masks")])
    assert sent(each, "mask") == ["mask/00003.png"]
    assert "masks' holds" in each.in_user_names("'mask/.' holds no mask")


def test_what_is_done_already_is_not_sent(photos):
    Path("out").mkdir()
    Path("out/-rf.png").touch()
    command = command_for(denoise_files, inputs=[str(photos)], resume=True)
    assert (len(command.outputs), command.answer) == (2, None)
    names = command.values["inputs"]
    document = RAN | {"results": [], "failures": [{"input": name, "error": "e"} for name in names], "skipped": 0}
    assert command.read_document(document, Fetched(frozenset(), {}))["skipped"] == 1


@pytest.mark.parametrize("mask", ["masks/b c.png", "masks", "-"])
def test_nothing_is_sent_where_all_is_done_already_the_mask_neither(photos, mask):
    for folder, suffix in (("masks", ".png"), ("out", ".jpg")):
        Path(folder).mkdir()
        Image.new("L", (8, 8)).save(Path(folder, "b c").with_suffix(suffix))
    command = command_for(inpaint_files, from_alpha=False, resume=True, inputs=[str(photos / "b c.jpg"), mask])
    assert command.answer == {"results": [], "failures": [], "skipped": 1}
    assert sent(command, "in") == sent(command, "mask") == []


@pytest.mark.parametrize(
    ("given", "result", "comparison"),
    [
        ({}, "refuse", "refuse"),
        ({"force": True}, "replace", "replace"),
        # What another process that resumes the same work wrote meanwhile is as good; see Restorer's verbs.
        ({"resume": True}, "keep", "replace"),
    ],
)
def test_the_options_decide_over_results_that_came_to_be_meanwhile(photos, given, result, comparison):
    command = command_for(denoise_files, inputs=[str(photos)], compare=Path("both"), **given)
    existing = {name.partition("/")[0]: output.existing for name, output in command.outputs.items()}
    assert existing == {"out": result, "compare": comparison}


@pytest.mark.parametrize(("scale", "model", "ending"), [(None, "upscale", "x2"), (4, "upscale_x4", "x4")])
def test_of_the_models_that_ship_the_one_of_the_scale_is_sent(photos, scale, model, ending):
    command = command_for(upscale_files, inputs=[str(photos / "b c.jpg")], output=None, scale=scale)
    assert sent(command, "model") == [f"model/00001/{model}.onnx"]
    assert command.inputs[f"model/00001/{model}.onnx"] == shipped_model("upscale", scale)
    assert command.values["scale"] is None
    assert targets(command) == {"out/00001.jpg": photos / f"b c-{ending}.jpg"}


def test_the_size_to_come_is_that_of_the_upright_picture_times_the_models_scale(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(tmp_path / "turned.jpg", exif=exif)
    picture = PictureInput("turned.jpg", tmp_path / "turned.jpg")
    assert result_size(shipped_model("denoise"), picture) == (20, 10)
    assert result_size(shipped_model("upscale", 4), picture) == (80, 40)
    assert result_size(shipped_model("denoise"), PictureInput("-", b"damaged")) is None


def test_a_document_names_what_was_sent_and_what_came(photos):
    command = command_for(denoise_files, inputs=[str(photos)])
    inputs, outputs = command.values["inputs"], list(command.outputs)
    results = [{"input": i, "output": o} for i, o in zip(inputs, outputs, strict=True)]
    document = RAN | {"results": results, "failures": [], "skipped": 0}
    refused = Fetched(frozenset(outputs[:2]), {outputs[2]: "it is no picture"})
    assert command.read_document(document, Fetched(frozenset(outputs), {})) == document
    assert command.read_document(document, refused)["results"] == results[:2]
    lies = [
        document | {"results": results[:2]},
        document | {"results": [*results[:2], {"input": inputs[2], "output": "/etc/passwd"}]},
        document | {"seconds": "long"},
    ]
    for lie in lies:
        with pytest.raises(ValueError, match=r"left out|asked for|seconds"):
            command.read_document(lie, Fetched(frozenset(outputs), {}))
