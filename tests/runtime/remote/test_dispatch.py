"""What is shown of the boards' answers."""

import json
from pathlib import Path

import pytest

from edgevision.core.errors import DeviceError, PartialFailureError
from edgevision.core.machine import Machine
from edgevision.runtime.commands.devices_on_boards import devices_files
from edgevision.runtime.remote import dispatch
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.on_boards import Boards
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.remote.run_job import JobResult


@pytest.fixture
def answered(monkeypatch):
    """Dispatch a command to boards that give these results."""

    def run(command, *results):
        monkeypatch.setattr(dispatch, "run_on_boards", lambda *arguments: list(results))
        dispatch.dispatch(command, Boards([result.host for result in results]))

    return run


def test_one_board_that_talks_nonsense_hides_no_other_and_none_takes_anothers_name(answered, capsys):
    answer = {"host": "one", "machine": Machine.this().to_dict(), "devices": [], "problems": []}
    outputs = {"one": "nonsense", "two": json.dumps(answer)}
    command = RemoteCommand("devices", [], {"as_json": True})
    devices_files(command)
    with pytest.raises(PartialFailureError, match="1 of 2 boards failed"):
        answered(command, *(JobResult(host, 0, text, "", Fetched(frozenset(), {})) for host, text in outputs.items()))
    document = json.loads(capsys.readouterr().out)
    assert document["boards"] == [answer | {"host": "two"}]
    assert [failure["host"] for failure in document["failures"]] == ["one"]


def test_a_document_that_the_verb_does_not_print_is_refused(answered):
    command = RemoteCommand("devices", [], {"as_json": True})
    devices_files(command)
    lie = json.dumps({"machine": {}, "devices": [], "problems": []})
    with pytest.raises(DeviceError, match="'liar' sent what edgevision devices does not print"):
        answered(command, JobResult("liar", 0, lie, "", Fetched(frozenset(), {})))


def test_a_table_from_a_board_holds_no_formulas_and_no_name_of_what_was_not_written(answered, capsys):
    command = RemoteCommand("run classify", [], {"as_csv": True, "as_json": False})
    command.fetch("out/1.png", Path("o.png"), lambda path: None)
    output = "input,label,probability\nin/00001.png,=cmd(),0.5\nout/1.png\n"
    with pytest.raises(DeviceError, match=r"'liar' sent as 'o\.png' is not taken: it is no picture"):
        answered(command, JobResult("liar", 0, output, "", Fetched(frozenset(), {"out/1.png": "it is no picture"})))
    assert capsys.readouterr().out == "input,label,probability\nin/00001.png,'=cmd(),0.5\n"


def test_where_nothing_is_left_to_do_no_board_is_asked(monkeypatch, capsys):
    monkeypatch.setattr(dispatch, "run_on_boards", lambda *arguments: pytest.fail("a board was asked"))
    command = RemoteCommand("run denoise", [], {"as_json": True})
    command.answer = {"results": []}
    dispatch.dispatch(command, Boards(["one"]))
    assert json.loads(capsys.readouterr().out)["results"] == []
