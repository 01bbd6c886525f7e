"""Since when the program runs that a command is called in."""

import sys

import pytest

PROGRAM = """
import sys, time
time.sleep(0.3)
from edgevision.core.program_time import command_start, program_begins
if sys.argv[1] == "command":
    program_begins()
called = time.monotonic()
print(called - command_start() >= 0.25)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
@pytest.mark.parametrize(("kind", "counted"), [("command", "True"), ("program", "False")])
def test_what_a_command_took_to_start_counts_and_what_a_program_did_before_does_not(run_python, kind, counted):
    done = run_python("-c", PROGRAM, kind)
    assert (done.stdout, done.stderr) == (f"{counted}\n", "")
