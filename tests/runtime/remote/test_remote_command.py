"""What a verb's command line becomes for a board."""

import inspect
from typing import Annotated

import pytest
import typer

from edgevision.cli.options import JsonOption
from edgevision.core.errors import InputError
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.remote.board import Board
from edgevision.runtime.remote.environment import Environment
from edgevision.runtime.remote.job import Job
from edgevision.runtime.remote.remote_command import RemoteCommand, command_arguments
from edgevision.runtime.remote.session import Session
from edgevision.runtime.remote.software import Code, RequirementsWheel, Software

SOFTWARE = Software(Code("0" * 32, b""), RequirementsWheel("w.whl", "0" * 12, b""))


def command_for(model):
    command = RemoteCommand("run something", [], {})
    command.send_model(model)
    return command


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
    return command_arguments(parameters, defaults | values)


def test_values_become_the_arguments_that_give_them():
    assert words(inputs=["a", "-b"]) == ["--", "a", "-b"]
    given = words(inputs=["a"], plain=0.5, named="-x y", many=[1, 2], switch=False, as_json=True)
    assert given == ["--plain=0.5", "--other=-x y", "--many=1", "--many=2", "--neither", "--json", "--", "a"]


def test_an_openvino_model_brings_its_weights(write_colours):
    command = command_for(write_colours("colours.xml"))
    assert set(command.inputs) == {"model/00001/colours.xml", "model/00001/colours.bin"}
    assert command.model_formats == {ModelFormat.OPENVINO}


def test_an_onnx_model_brings_its_external_weights(write_colours, tmp_path, need):
    need("onnx")
    import onnx
    from onnx import numpy_helper
    from onnx.external_data_helper import convert_model_to_external_data

    model = onnx.load(write_colours())
    for tensor in model.graph.initializer:  # only raw data can lie outside
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    convert_model_to_external_data(model, location="weights.data", size_threshold=0, convert_attribute=False)
    (tmp_path / "outside").mkdir()
    onnx.save(model, tmp_path / "outside/m.onnx")
    command = command_for(tmp_path / "outside/m.onnx")
    assert command.inputs["model/00001/weights.data"] == tmp_path / "outside/weights.data"


@pytest.mark.parametrize("seen", [(), ("digests",)])
def test_a_file_that_vanishes_after_it_was_added_ends_in_an_error_that_names_it(photos, local, seen):
    command = RemoteCommand("run something", [], {})
    command.send_file("in", 1, PictureInput("d.gif", photos / "d.gif"))
    job = Job((), command.inputs)
    for name in seen:
        getattr(job, name)
    (photos / "d.gif").unlink()
    with pytest.raises(InputError, match=r"d\.gif' cannot be sent to the board: No such file"):
        Board(Session("local", local)).start(job, Environment(SOFTWARE, ()))


def test_a_missing_model_is_said_before_anything_is_sent(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        command_for(tmp_path / "no.onnx")
