"""The whole path against a real sshd: prepare, copy, run, lose the connection, take up again, report, clean up."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.core.regular_files import sha256
from edgevision.runtime.benchmark.report_files import read_report
from edgevision.runtime.remote import software
from edgevision.runtime.remote.board_program import start_time
from edgevision.runtime.remote.call import call
from edgevision.runtime.remote.environment import own_setup
from edgevision.runtime.remote.session import Session
from edgevision.runtime.remote.ssh import Connection
from edgevision.runtime.shipped_models import shipped_model

ROOT = Path(__file__).parents[3]
PICTURES = ROOT / "examples/pictures"


@pytest.fixture(scope="module")
def prepared(board, wheelhouse):
    """The board with its environment, which an earlier preparation left half made."""
    setup = own_setup(set(), ["cpu"], None)
    half = board.cache / f"environments/cpu-{setup.software.requirements.key}"
    (half / "lib").mkdir(parents=True)
    (half / "lib" / "half").touch()
    words = ["devices", "--on", board.name, "--wheelhouse", str(wheelhouse)]
    done = subprocess.run(
        [sys.executable, "-m", "edgevision", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "preparing" in done.stderr
    assert (half / "prepared").is_file()
    assert not (half / "lib" / "half").exists()
    return board


@pytest.fixture
def begun(prepared, edgevision, write_colours, eventually):
    """Start a measurement of some seconds on the board in this process, do something meanwhile, wait for its end."""

    def run(meanwhile, seconds="3", **changes):
        def interfere():
            eventually(lambda: any((job / "process").is_file() and said(job) for job in prepared.jobs()))
            meanwhile()

        def said(job):
            return (job / "stdout").is_file()

        thread = threading.Thread(target=interfere)
        thread.start()
        try:
            return edgevision(
                "bench", write_colours(), "--device", "cpu", "--seconds", seconds, "--json", "--on", prepared.name
            )
        finally:
            thread.join()

    return run


def alive_in_group(group):
    """The processes of a group that are more than zombies, which the container's init may leave."""
    states = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    return [state for state in states if state[2] == str(group) and state[0] not in "ZX"]


def test_a_board_answers_as_this_machine_does(prepared, edgevision):
    here = edgevision("run", "classify", PICTURES)
    there = edgevision("run", "classify", PICTURES, "--on", prepared.name)
    assert there[:2] == here[:2]
    assert there[0] == 0


def test_a_board_is_prepared_once_and_a_file_copied_once(prepared, edgevision, tmp_path):
    Image.new("RGB", (40, 30), (1, 2, 3)).save(tmp_path / "plain.png")
    first = edgevision("run", "classify", tmp_path / "plain.png", "--on", prepared.name)
    again = edgevision("run", "classify", tmp_path / "plain.png", "--on", prepared.name)
    assert "copying 1 file," in first[2]
    assert "copying" not in again[2]
    assert "preparing" not in first[2] + again[2]
    assert prepared.jobs() == []


def test_an_edit_of_the_code_costs_one_archive_and_no_environment(prepared, edgevision, monkeypatch):
    modules = software._modules()
    edited = modules["edgevision/runtime/engine_facts.py"] + b"\nprint('edited')\n"
    words = ("run", "classify", PICTURES / "cat.jpg", "--on", prepared.name)
    before = edgevision(*words)
    monkeypatch.setattr(software, "_modules", lambda: modules | {"edgevision/runtime/engine_facts.py": edited})
    after = edgevision(*words)
    assert re.search(r"copying 1 file, 0\.\d MB", after[2])
    assert "preparing" not in after[2]
    assert after[1] == f"edited\n{before[1]}"
    assert len([path for path in (prepared.cache / "environments").iterdir() if path.is_dir()]) == 1


def test_models_that_ship_go_only_when_they_are_used(network, prepared, edgevision, write_restorer, tmp_path):
    fresh = network.add("fresh")
    fresh.cache.mkdir(parents=True)
    for name in ("environments", "code"):
        (fresh.cache / name).symlink_to(prepared.cache / name)
    on = ("--on", fresh.name)
    assert edgevision("devices", *on)[0] == 0
    assert not (fresh.cache / "store").exists()
    model = write_restorer("denoise")
    assert edgevision("run", "denoise", PICTURES / "cat.jpg", "-o", tmp_path / "a.png", "--model", model, *on)[0] == 0
    held = {path.name for path in (fresh.cache / "store").iterdir()}
    assert held == {sha256(model), sha256(PICTURES / "cat.jpg")}
    assert edgevision("run", "classify", PICTURES / "cat.jpg", *on)[0] == 0
    assert {path.name for path in (fresh.cache / "store").iterdir()} - held == {sha256(shipped_model("classify"))}
    assert "copying" not in edgevision("run", "classify", PICTURES / "cat.jpg", *on)[2]


def test_the_json_of_a_board_is_that_of_this_machine_with_the_boards_name(prepared, edgevision):
    here = json.loads(edgevision("run", "classify", PICTURES, "--json")[1])
    there = json.loads(edgevision("run", "classify", PICTURES, "--json", "--on", prepared.name)[1])
    assert there.pop("host") == prepared.name
    assert there == here


def test_frames_of_a_clip_are_answered_as_here(prepared, edgevision, tmp_path):
    for number in (1, 2, 10):
        Image.new("L", (32, 32), 20 * number).save(tmp_path / f"{number}.png")
    on = ("--on", prepared.name)
    here = [json.loads(line) for line in edgevision("run", "sequence", tmp_path, "--json")[1].splitlines()]
    code, out, _ = edgevision("run", "sequence", tmp_path, "--json", *on)
    there = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["host"] for line in there] == [prepared.name] * 4
    assert [line.get("predictions") for line in there] == [line.get("predictions") for line in here]
    assert [line["source"] for line in there[:-1]] == [str(tmp_path)] * 3
    assert there[-1]["sources"][0] == here[-1]["sources"][0]
    code, out, err = edgevision("run", "sequence", tmp_path / "no.gif", *on)
    assert code == 2
    assert f"{tmp_path}/no.gif" in err


def test_pictures_come_back_under_the_names_planned_here(prepared, edgevision, write_restorer, tmp_path):
    model = write_restorer("denoise")
    code, out, _ = edgevision(
        "run", "denoise", PICTURES, "-o", tmp_path / "there", "--compare", tmp_path / "both", "--model", model,
        "--on", prepared.name,
    )  # fmt: skip
    edgevision("run", "denoise", PICTURES, "-o", tmp_path / "here", "--model", model)
    assert code == 0
    assert sorted(out.split()) == [str(tmp_path / "there" / name) for name in ("cat.jpg", "rocket.jpg")]
    for name in ("cat.jpg", "rocket.jpg"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
        assert (tmp_path / "both" / name).with_suffix(".png").is_file()


def test_a_picture_without_a_mask_fails_alone_and_under_its_own_name(prepared, edgevision, write_restorer, tmp_path):
    for folder, names in (("photos", ("a.png", "b.png")), ("masks", ("a.png",))):
        (tmp_path / folder).mkdir()
        for name in names:
            picture = Image.new("RGB" if folder == "photos" else "L", (32, 32))
            picture.paste("white", (4, 4, 9, 9))
            picture.save(tmp_path / folder / name)
    code, out, err = edgevision(
        "run", "inpaint", tmp_path / "photos", tmp_path / "masks", "-o", tmp_path / "out/", "--on", prepared.name,
        "--model", write_restorer("inpaint"),
    )  # fmt: skip
    assert code == 1
    assert out.split() == [str(tmp_path / "out/a.png")]
    assert f"{tmp_path}/photos/b.png: '{tmp_path}/masks' holds no mask" in err
    assert "1 of 2 pictures failed" in err
    assert not (tmp_path / "out/b.png").exists()


def test_what_a_generator_draws_comes_back(prepared, edgevision, tmp_path):
    code, out, _ = edgevision("run", "generate", "-n", "2", "-o", tmp_path / "cards/", "--on", prepared.name)
    assert (code, out.split()) == (0, [str(tmp_path / f"cards/0-000{n}.png") for n in (0, 1)])
    edgevision("run", "generate", "-n", "2", "-o", tmp_path / "sheet.png", "--on", prepared.name)
    assert np.asarray(Image.open(tmp_path / "sheet.png")).any()


def test_any_model_runs_on_a_board_and_its_outputs_come_back(prepared, edgevision, write_colours, tmp_path):
    words = ["run", "other", PICTURES / "cat.jpg", "--model", write_colours()]
    here, there = edgevision(*words, "--json"), edgevision(*words, "--json", "--on", prepared.name)
    assert json.loads(there[1])["results"] == json.loads(here[1])["results"]
    code, out, _ = edgevision(*words, "-o", tmp_path / "there.npz", "--on", prepared.name)
    assert (code, out.split()) == (0, [str(tmp_path / "there.npz")])
    edgevision(*words, "-o", tmp_path / "here.npz")
    with np.load(tmp_path / "there.npz") as there, np.load(tmp_path / "here.npz") as here:
        assert there.files == here.files == ["logits"]
        assert np.array_equal(there["logits"], here["logits"])


def test_an_error_on_the_board_ends_the_command_here_as_it_would_there(prepared, edgevision, tmp_path):
    (tmp_path / "no.jpg").write_text("no picture")
    code, out, err = edgevision("run", "classify", tmp_path / "no.jpg", "--on", prepared.name)
    assert (code, out) == (1, "")
    assert re.search(rf"^error: {prepared.name}: .*no\.jpg", err, re.MULTILINE)
    assert "/00001" not in err


def test_a_picture_that_does_not_exist_fails_alone_as_it_does_here(prepared, edgevision, tmp_path):
    words = ["run", "classify", tmp_path / "no.png", PICTURES / "cat.jpg"]
    here, there = edgevision(*words), edgevision(*words, "--on", prepared.name)
    assert there[:2] == here[:2]
    assert here[0] == 1
    for err in (here[2], there[2]):
        assert f"failed: '{tmp_path}/no.png' does not exist" in err
        assert "1 of 2 pictures failed" in err


def test_existing_files_are_refused_before_a_board_is_asked(edgevision, tmp_path):
    (tmp_path / "out.png").touch()
    code, _, err = edgevision("run", "denoise", PICTURES / "cat.jpg", "-o", tmp_path / "out.png", "--on", "nobody")
    assert code == 2
    assert "--force" in err


def test_files_are_brought_from_one_board_only(edgevision, tmp_path):
    code, _, err = edgevision("run", "generate", "-o", tmp_path / "a.png", "--on", "one", "--on", "two")
    assert code == 2
    assert "one board" in err


def test_models_of_one_name_are_called_on_a_board_as_they_are_here(prepared, edgevision, write_colours, tmp_path):
    models = [tmp_path / folder / "net.onnx" for folder in ("v1", "v2")]
    for model in models:
        model.parent.mkdir()
        shutil.copy(write_colours(), model)
    quick = ("--device", "cpu", "--seconds", "0.05", "--warmup", "0", "--json", "--on", prepared.name)
    code, out, _ = edgevision("bench", *models, *quick)
    assert code == 0
    assert [subject["name"] for subject in json.loads(out)["subjects"]] == ["v1/net.onnx", "v2/net.onnx"]


def test_cores_are_those_of_the_board(prepared, edgevision):
    own = os.sched_getaffinity(0)
    code, out, _ = edgevision("devices", "--json", "--on", prepared.name, "--cores", str(min(own)))
    assert (code, json.loads(out)["machine"]["cores"]) == (0, 1)
    assert os.sched_getaffinity(0) == own
    code, _, err = edgevision("--cores", "4000", "devices", "--on", prepared.name)
    assert code == 2
    assert err.startswith(f"error: {prepared.name}: there is no core 4000")


def test_a_wheelhouse_is_for_boards(edgevision, tmp_path):
    assert edgevision("devices", "--wheelhouse", tmp_path)[0] == 2


def test_a_dropped_connection_is_made_again_and_the_result_comes(begun, prepared):
    code, out, err = begun(prepared.drop)
    assert code == 0
    assert "lost the connection" in err
    assert json.loads(out)["host"] == prepared.name
    assert prepared.jobs() == []


def test_the_same_command_line_takes_up_what_a_lost_connection_left(
    begun, prepared, edgevision, monkeypatch, write_colours, eventually
):
    monkeypatch.setattr(Session, "reconnect_for_s", 0.5)
    code, out, err = begun(prepared.down)
    assert (code, out) == (3, "")
    assert "the same command line takes it up again" in err
    [job] = prepared.jobs()
    eventually((job / "outcome").is_file)
    prepared.up()
    code, out, err = edgevision(
        "bench", write_colours(), "--device", "cpu", "--seconds", "3", "--json", "--on", prepared.name
    )
    assert code == 0
    assert "taking it up" in err
    assert json.loads(out)["host"] == prepared.name
    assert prepared.jobs() == []


def test_a_restart_in_the_middle_is_called_so(begun, prepared):
    def restart():
        [job] = prepared.jobs()
        process = json.loads((job / "process").read_text())
        # Whole or not at all, as the board writes it: whoever follows the job reads it all the time.
        (job / "other").write_text(json.dumps(process | {"boot": "another"}))
        (job / "other").replace(job / "process")
        os.killpg(process["pid"], signal.SIGKILL)
        prepared.drop()

    code, out, err = begun(restart)
    assert (code, out) == (1, "")
    assert "restarted in the middle" in err
    assert prepared.jobs() == []


def test_a_killed_job_is_called_so(begun, prepared):
    def kill():
        [job] = prepared.jobs()
        os.killpg(json.loads((job / "process").read_text())["pid"], signal.SIGKILL)

    code, _, err = begun(kill)
    assert code == 1
    assert "memory" in err


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_job_on_the_board_too(prepared, write_colours, eventually):
    command = [sys.executable, "-m", "edgevision", "bench", write_colours(), "--seconds", "60", "--on", prepared.name]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    eventually(lambda: any((job / "stdout").is_file() for job in prepared.jobs()))
    [job] = prepared.jobs()
    supervisor = json.loads((job / "process").read_text())["pid"]
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: ssh gets it as well
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert prepared.jobs() == [], err
    eventually(lambda: not alive_in_group(supervisor))


def test_a_measurement_is_reported_as_one_of_this_machine_and_written_here(
    prepared, edgevision, write_colours, tmp_path
):
    files = ["-o", tmp_path / "r.json", "--csv", tmp_path / "r.csv"]
    quick = ["--device", "cpu", "--seconds", "0.1", "--warmup", "0.1", "--runs", "5"]
    code, out, _ = edgevision("bench", write_colours(), *quick, *files, "--on", prepared.name)
    assert code == 0
    assert out.startswith(f"on          {prepared.name}\nmodel       colours.onnx")
    report = read_report(tmp_path / "r.json")
    assert report.extra["host"] == prepared.name
    assert report.subjects[0].name == "colours.onnx"
    assert (tmp_path / "r.csv").read_text().count("\n") == report.subjects[0].latency.runs + 1


def test_a_board_that_fails_does_not_lose_the_others(network, prepared, edgevision, write_colours, tmp_path):
    network.describe("absent", 9)  # the discard port, where nobody listens
    twin = network.add("twin")
    twin.cache.mkdir(parents=True)
    (twin.cache / "environments").symlink_to(prepared.cache / "environments")
    words = [word for name in (prepared.name, "absent", twin.name) for word in ("--on", name)]
    code, out, err = edgevision("devices", "--json", *words)
    assert code == 1
    document = json.loads(out)
    assert [report["host"] for report in document["boards"]] == [prepared.name, twin.name]
    assert [failure["host"] for failure in document["failures"]] == ["absent"]
    assert "1 of 3 boards failed" in err
    model, quick = write_colours(), ["--device", "cpu", "--seconds", "0.1", "--warmup", "0.1", "--runs", "5"]
    code, out, err = edgevision("bench", model, *quick, "-o", tmp_path / "r.json", *words)
    assert code == 1
    rows = out.splitlines()
    assert "p50 ms" in rows[0]
    assert [row.split(":")[0] for row in rows[1:3]] == [prepared.name, twin.name]
    assert {path.name for path in tmp_path.glob("r*")} == {f"r-{prepared.name}.json", f"r-{twin.name}.json"}
    assert "failed: absent" in err


@pytest.fixture
def locked_key(network, tmp_path):
    """The user's key under the passphrase "open sesame"."""
    path = shutil.copy(network.key, tmp_path / "locked")
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", path], check=True, stdout=subprocess.DEVNULL
    )
    return path


def test_on_a_terminal_a_passphrase_is_asked_for_once(network, prepared, locked_key):
    network.describe("locked", prepared.port, locked_key)
    words = [sys.executable, "-m", "edgevision", "devices", "--on", "locked"]
    terminal, shown = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *words], cwd=ROOT, stdin=shown, stdout=subprocess.PIPE, stderr=shown
    )
    os.close(shown)
    asked = b""
    with suppress(OSError):  # the terminal's other side was closed
        while piece := os.read(terminal, 1000):
            asked += piece
            if asked.endswith(b"': "):
                os.write(terminal, b"open sesame\n")
    out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0, asked
    assert asked.count(b"passphrase") == 1
    assert b"onnxruntime" in out


def test_without_a_terminal_nothing_is_asked(network, prepared, edgevision, locked_key):
    network.describe("shut", prepared.port, locked_key)
    code, _, err = edgevision("devices", "--on", "shut")
    assert code == 3
    assert "asked for only on a terminal" in err


def test_a_daemon_that_the_login_files_start_holds_nothing_up(network, tmp_path):
    board = network.add("daemon", before=f"sleep 60 & echo $! >> {tmp_path}/daemons;")
    connection = Connection(board.name)

    def daemons():
        return map(int, (tmp_path / "daemons").read_text().split())

    try:
        connection.open()
        for _ in range(12):  # more than the sessions of one connection that sshd takes at once
            assert call(connection, "facts")["system"] == "linux"
            assert start_time([*daemons()][-1]), "its end was waited for"
    finally:
        connection.close()
        for daemon in daemons():
            with suppress(ProcessLookupError):
                os.kill(daemon, signal.SIGTERM)


def test_nothing_is_left_behind_here(prepared, edgevision, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert edgevision("devices", "--on", prepared.name)[0] == 0
    assert list(tmp_path.iterdir()) == []
