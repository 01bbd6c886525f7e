"""The program on the board, in a shell of this machine: its store, its jobs' states, and what it removes."""

import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from edgevision.core.errors import DeviceError
from edgevision.runtime.remote import board_program
from edgevision.runtime.remote.call import BOOT, BoardFailureError, board_source, call


def run(local, operation, **request):
    return call(local, operation, **request)


def cache(local):
    return Path(local.environment["HOME"]) / ".cache/edgevision"


def test_the_board_tells_what_it_is(local):
    facts = run(local, "facts")
    assert facts["version"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["has_venv"] is True
    assert facts["system"] == "linux"


def test_a_file_is_kept_under_its_hash_and_then_not_missing(local):
    content = os.urandom(3 << 20)
    digest = hashlib.sha256(content).hexdigest()
    wanted = {"environment": "none", "code": "none", "files": [digest]}
    assert run(local, "missing", **wanted) == {"prepared": False, "unpacked": False, "files": [digest]}
    run(local, "store", files=[[digest, len(content)]], payload=[content])
    assert run(local, "missing", **wanted)["files"] == []
    assert (cache(local) / "store" / digest).read_bytes() == content


@pytest.mark.parametrize("sent", [b"other", b"cut"])
def test_a_file_that_arrives_otherwise_is_not_kept(local, sent):
    digest = hashlib.sha256(b"right").hexdigest()
    with pytest.raises(DeviceError):
        run(local, "store", files=[[digest, 5]], payload=[sent])
    assert list((cache(local) / "store").iterdir()) == []


def test_more_than_the_disk_holds_is_refused_before_it_comes(local):
    with pytest.raises(BoardFailureError) as caught:
        run(local, "store", files=[["0" * 64, 1 << 60]])
    assert caught.value.report["kind"] == "space"


def test_links_are_not_followed_out_of_the_jobs_folder(local, tmp_path):
    job = cache(local) / "jobs/j"
    job.mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (job / "link").symlink_to(tmp_path / "secret")
    (job / "plain").write_text("plain")
    got = []

    def receive(message, stream):
        got.append((message["file"], message["size"] and b"".join(stream.pieces(message["size"]))))

    run(local, "fetch", job="j", files=["link", "plain", "none"], receive=receive)
    assert got == [("link", None), ("plain", b"plain"), ("none", None)]


def test_a_process_that_took_the_number_of_an_ended_job_is_left_alone(local):
    job = cache(local) / "jobs/j"
    job.mkdir(parents=True)
    innocent = subprocess.Popen(["sleep", "60"], start_new_session=True)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (job / "process").write_text(json.dumps({"pid": innocent.pid, "started": "1", "boot": boot}))
    assert run(local, "follow", job="j", offset=0) == {"state": "killed"}
    run(local, "stop", job="j")
    assert innocent.poll() is None
    innocent.kill()
    innocent.wait()


@pytest.fixture
def environment(local):
    """One that is prepared; its Python prints the path of the code."""
    python = cache(local) / "environments/k/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PYTHONPATH"\n')
    python.chmod(0o755)
    (cache(local) / "environments/k/prepared").write_text(sys.version)
    return python


def put_code(local, **modules):
    """Send an archive of modules; what a job says of it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in modules.items():
            archive.writestr(f"edgevision/{name}.py", text)
    content = stream.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    run(local, "store", files=[[digest, len(content)]], payload=[content])
    return {"key": digest[:32], "sha256": digest}


def ended(local, job):
    """How the job ended, after waiting for that."""
    for _ in range(600):
        state = run(local, "follow", job=job, offset=0)
        if state["state"] != "running":
            return state
    raise AssertionError("it did not end")


def start(local, source, *, job="j", **changes):
    """Start a job, whose supervisor is ``source`` instead of the program."""
    environment = {"key": "k", "extras": [], "system_site_packages": False, "requirements": None, "wheelhouse": None}
    request = {"environment": environment, "code": None, "arguments": [], "files": {}, "folders": [], "boot": BOOT}
    return run(local, "start", job=job, source=source, **request | changes)


def test_the_code_is_laid_over_the_environment_once_and_its_archive_goes(local, environment):
    code = put_code(local, first="1")
    start(local, board_source(), code=code)
    assert ended(local, "j") == {"state": "ended", "code": 0}
    folder = cache(local) / "code" / code["key"]
    assert (cache(local) / "jobs/j/stdout").read_text() == f"{folder}\n"
    assert (folder / "edgevision/first.py").read_text() == "1"
    assert list((cache(local) / "store").iterdir()) == []
    wanted = {"environment": "k", "code": code["key"], "files": [code["sha256"]]}
    assert run(local, "missing", **wanted) == {"prepared": True, "unpacked": True, "files": [code["sha256"]]}
    start(local, board_source(), job="again", code=code)
    assert ended(local, "again") == {"state": "ended", "code": 0}


def test_code_is_on_the_disk_before_it_has_its_name(local, environment):
    code = put_code(local, first="1")
    noted = """
def write_to_disk(folder):
    (cache() / "noted").write_text(json.dumps(sorted(path.name for path in folder.parent.iterdir())))
"""
    start(local, board_source() + noted, code=code)
    assert ended(local, "j")["code"] == 0
    assert json.loads((cache(local) / "noted").read_text()) == [f"{code['key']}.part", "lock"]


def test_code_that_was_left_half_unpacked_is_unpacked_anew(local, environment):
    code = put_code(local, first="1")
    half = cache(local) / "code" / f"{code['key']}.part"
    half.mkdir(parents=True)
    (half / "half").touch()
    start(local, board_source(), code=code)
    assert ended(local, "j")["code"] == 0
    assert [path.name for path in (cache(local) / "code" / code["key"]).iterdir()] == ["edgevision"]
    assert not half.exists()


def test_code_for_which_there_is_no_space_is_not_left_half_unpacked(local, environment):
    code = put_code(local, first="1")
    full = """
import zipfile
def extractall(archive, folder):
    folder.mkdir()
    raise OSError(28, "No space left on device")
zipfile.ZipFile.extractall = extractall
"""
    start(local, board_source() + full, code=code)
    assert ended(local, "j")["failed"]["errno"] == 28
    assert [path.name for path in (cache(local) / "code").iterdir()] == ["lock"]
    start(local, board_source(), job="again", code=code)
    assert ended(local, "again")["code"] == 0


def test_two_hosts_with_different_code_share_the_environment(local, environment):
    first, second = put_code(local, first="1"), put_code(local, first="2")
    for job, code in (("a", first), ("b", second)):
        start(local, board_source(), job=job, code=code)
    assert ended(local, "a") == ended(local, "b") == {"state": "ended", "code": 0}
    for job, code in (("a", first), ("b", second)):
        assert (cache(local) / "jobs" / job / "stdout").read_text() == f"{cache(local) / 'code' / code['key']}\n"


def test_of_the_code_of_many_edits_the_last_ones_stay(local):
    for number in range(12):
        folder = cache(local) / f"code/{number:02d}"
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    start(local, "def main(request): pass")
    assert sorted(path.name for path in (cache(local) / "code").iterdir()) == [f"{n:02d}" for n in range(4, 12)]


def test_a_job_that_another_host_stops_ends_with_that_as_the_reason(local):
    start(local, "import time\ndef main(request): time.sleep(60)")
    run(local, "stop", job="j")
    assert run(local, "follow", job="j", offset=0) == {"state": "ended", "failed": {"kind": "stopped"}}


def test_a_disk_that_fills_up_during_a_run_is_the_reason_that_is_told(local, environment):
    full = """
def write_whole(path, document, write=write_whole):
    if (path.parent / "work").exists():
        raise OSError(28, "No space left on device")
    write(path, document)
"""
    start(local, board_source() + full, code=put_code(local, first="1"))
    state = run(local, "follow", job="j", offset=0)
    assert (state["state"], state["failed"]["errno"]) == ("ended", 28)


def test_a_document_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.extend(path.read_bytes() for path in tmp_path.iterdir()))
    monkeypatch.setattr(Path, "replace", lambda path, target: synced.append(target))
    board_program.write_whole(tmp_path / "process", {"pid": 1})
    assert synced == [b'{"pid": 1}', tmp_path / "process"]


def test_what_nobody_used_for_long_is_removed_at_the_next_start(local):
    old, now = time.time() - 40 * 24 * 3600, time.time()
    folder = cache(local)
    for name, used in (("old", old), ("new", now)):
        # The last is where an environment of a former version lay.
        for path in (folder / "jobs" / name, folder / "environments" / name, folder / f"0.1.0-{name}"):
            path.mkdir(parents=True)
        (folder / "store").mkdir(exist_ok=True)
        for path in ("store", f"environments/{name}", f"0.1.0-{name}"):
            file = folder / path / (name if path == "store" else "prepared")
            file.touch()
            os.utime(file, (used, used))
        os.utime(folder / "jobs" / name, (used, used))
    start(local, "def main(request): pass")
    assert {path.name for path in folder.iterdir() if path.name.startswith("0.1.0")} == {"0.1.0-new"}
    assert {path.name for path in (folder / "environments").iterdir()} == {"new"}
    assert {path.name for path in (folder / "store").iterdir()} == {"new"}
    assert {path.name for path in (folder / "jobs").iterdir() if path.is_dir()} == {"new", "j"}


@pytest.mark.parametrize("greeting", ["echo Welcome; echo", r"printf '\033]0;pi\007'", r"printf 'Hi\r\n> '"])
def test_a_greeting_of_the_login_shell_does_no_harm(local, greeting):
    local.environment["ENV"] = "/dev/null"
    original = local.run
    local.run = lambda command: original(f"{greeting}; {command}")
    assert run(local, "facts")["system"] == "linux"


def test_a_shell_that_never_ends_its_greeting_is_given_up(local):
    local.run = lambda command: subprocess.Popen(
        ["sh", "-c", "yes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with pytest.raises(DeviceError, match="start-up files"):
        run(local, "facts")


def test_a_board_that_is_busy_gives_signs_of_life(local, monkeypatch):
    heard = []
    quick = board_source().replace("_SECONDS_BETWEEN_SIGNS_OF_LIFE = 5.0", "_SECONDS_BETWEEN_SIGNS_OF_LIFE = 0.05")
    busy = 'OPERATIONS["facts"] = lambda request: time.sleep(0.5)\n'
    monkeypatch.setattr("edgevision.runtime.remote.call.board_source", lambda: quick + busy)
    assert call(local, "facts", heard=lambda: heard.append(True)) is None
    assert len(heard) > 3
