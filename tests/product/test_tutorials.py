"""The tutorials are gone through as they stand, one after another, in one folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from documented import code

ROOT = Path(__file__).parents[2]
TUTORIALS = ("own_pictures", "is_int8_worth_it", "from_elsewhere", "two_boards", "clean_scans")


def test_a_reader_gets_through_and_the_network_has_learned(tmp_path):
    """All that it takes beside the pages are the examples."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name in TUTORIALS:
        steps = [one for one in code(ROOT / "docs" / "tutorials" / f"{name}.md") if one.mark is None]
        assert steps
        for step in steps:
            words = [sys.executable, "-c", step.text] if step.language == "python" else _words(step.text)
            _run(words, tmp_path, refused=step.refused)
    answer = _run(_words("edgevision evaluate kinds.onnx unseen --json"), tmp_path)
    assert float(re.search(r'"top1": ([\d.]+)', answer)[1]) >= 90


def _run(command, folder, *, refused=False):
    """What it prints, after it has succeeded, or was refused."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode != 0) == refused, (command, done.stderr)
    assert done.stdout or refused, command
    return done.stdout


def _words(line):
    program, *rest = shlex.split(line, comments=True)
    assert program == "edgevision"
    return [sys.executable, "-m", "edgevision", *rest]
