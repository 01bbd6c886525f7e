"""Files and tools of a system that may be missing, refuse, or say anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.runtime.telemetry.system import SystemFile, find_tool, run_tool, whole_number


def test_a_file_is_read_anew_each_time(board):
    path = board({"sys/value": "17\n"}) / "sys/value"
    file = SystemFile(path)
    assert file.number() == 17
    path.write_text("-18\n")
    assert file.number() == -18
    file.close()
    assert file.text() is None
    assert SystemFile(path.parent).text() is None
    assert SystemFile(path.with_name("absent")).number() is None


@pytest.mark.parametrize("text", [None, "", "-", "12.5", "0x1f", "9" * 19, "१२", "two"])
def test_what_is_no_number_is_absent(text):
    assert whole_number(text) is None


def test_a_missing_or_failing_tool_says_nothing():
    assert run_tool(["edgevision-no-such-tool"]) is None
    assert run_tool(["false"]) is None
    assert run_tool(["echo", "a b"]) == "a b\n"
    assert find_tool("sh") is not None


@given(st.binary(max_size=64))
def test_any_bytes_in_a_file_are_survived(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("file") / "value"
    path.write_bytes(content)
    file = SystemFile(path)
    file.text()
    file.number()
    file.close()
