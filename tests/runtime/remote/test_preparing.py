"""Boards that cannot be prepared, each with the error that tells why."""

import shutil

import pytest

from edgevision.core.errors import DeviceError
from edgevision.runtime.remote.board_reports import BoardFacts, explain_failure

FACTS = BoardFacts(
    system="linux", python="/usr/bin/python3", version="3.11.2", architecture="aarch64", bits=32, name="pi",
    free_bytes=1 << 30, has_venv=True, has_cuda=False,
)  # fmt: skip


def test_a_board_without_python_says_what_to_install(network, edgevision):
    bare = network.add("bare", python=False)
    code, _, err = edgevision("devices", "--on", bare.name)
    assert code == 3
    assert "'bare' has no Python 3.11 or later" in err
    assert "python3-venv" in err


def test_a_board_whose_python_is_too_old_tells_its_version(network, edgevision):
    old = network.add("old", python=False)
    (old.bin / "python3").write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    (old.bin / "python3").chmod(0o755)
    code, _, err = edgevision("devices", "--on", old.name)
    assert code == 3
    assert "(Python 3.9.2)" in err


def test_a_newer_python_beside_an_old_one_is_found(network, edgevision, wheelhouse):
    both = network.add("both")
    (both.bin / "python3").rename(both.bin / "python3.12")
    (both.bin / "python3").write_text("#!/bin/sh\nexit 1\n")
    (both.bin / "python3").chmod(0o755)
    (both.cache).mkdir(parents=True)
    (both.cache / "store").write_text("no folder: what stops it comes later than the search for Python")
    assert "cannot keep files" in edgevision("devices", "--on", both.name, "--wheelhouse", wheelhouse)[2]


def test_a_board_without_space_says_so_and_keeps_nothing_half(network, edgevision, wheelhouse):
    # A limit on the size of files, in blocks of 512 or 1024 bytes, is refused as a full disk is.
    full = network.add("full", before="ulimit -f 100;")
    code, _, err = edgevision("devices", "--on", full.name, "--wheelhouse", wheelhouse)
    assert code == 3
    assert "no space left on 'full'" in err
    assert list((full.cache / "store").iterdir()) == []


def test_a_wheelhouse_for_another_platform_names_the_package_and_the_platform(
    network, edgevision, wheelhouse, tmp_path
):
    for wheel in wheelhouse.iterdir():
        name = wheel.name
        if name.startswith("onnxruntime"):
            name = name.replace("py3-none-any", "cp311-cp311-linux_armv7l")
        shutil.copy(wheel, tmp_path / name)
    other = network.add("other-platform")
    code, _, err = edgevision("devices", "--on", other.name, "--wheelhouse", tmp_path)
    assert code == 3
    assert "for which a package has no wheel" in err
    assert "onnxruntime" in err
    assert "64-bit Python 3." in err
    assert list(other.cache.glob("environments/*/bin")) == []
    assert other.jobs() == []


def test_an_empty_wheelhouse_is_refused(network, edgevision, tmp_path):
    idle = network.add("idle")
    code, _, err = edgevision("devices", "--on", idle.name, "--wheelhouse", tmp_path)
    assert code == 2
    assert "holds no wheels" in err


def report(*lines):
    return {"kind": "pip", "lines": list(lines)}


@pytest.mark.parametrize(
    ("failure", "telling"),
    [
        (report("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"), "no space"),
        (
            report(
                "WARNING: Retrying after connection broken by 'NewConnectionError(...)'",
                "ERROR: No matching distribution found for numpy>=1.26",
            ),
            "--wheelhouse",
        ),
        (report("ERROR: No matching distribution found for onnxruntime>=1.20"), "aarch64, 32-bit Python 3.11.2"),
        (report("ERROR: No matching distribution found for onnxruntime-gpu>=1.20"), "Jetson"),
        (report("ERROR: hashes differ"), "pip failed on 'pi' (ERROR: hashes differ)"),
        (report(), "pip failed"),
        ({"kind": "os", "errno": 13, "message": "Permission denied: '/home/pi/.cache'"}, "cannot keep files"),
        ({"kind": "os", "errno": 122, "message": "quota"}, "no space left"),
        ({"kind": "space", "message": "10 bytes are to be copied and 5 are free"}, "no space left"),
        ({"kind": "stopped"}, "was stopped by another"),
        ({"kind": "damaged"}, "arrived damaged"),
        ({"kind": "venv", "lines": ["ensurepip is not available"]}, "ensurepip is not available"),
        ({}, "does not know"),
        ({"kind": "pip", "lines": 5}, "pip failed"),
    ],
)
def test_what_a_board_reports_becomes_an_error_with_a_remedy(failure, telling):
    error = explain_failure("pi", FACTS, failure, offline=False)
    assert isinstance(error, DeviceError)
    assert telling in str(error)


def test_a_python_without_venv_is_refused_with_the_package_that_brings_it():
    with pytest.raises(DeviceError, match="python3-venv"):
        FACTS.updated(has_venv=False).check("pi")


def test_what_runs_no_linux_is_no_board():
    with pytest.raises(DeviceError, match="darwin"):
        FACTS.updated(system="darwin").check("mac")
