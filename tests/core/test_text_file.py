"""Text that people bring comes from every editor and system."""

import pytest

from edgevision.core.errors import InputError
from edgevision.core.text_file import read_text_file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_marks_and_line_ends_are_not_part_of_the_text(tmp_path, encoding, newline):
    path = tmp_path / "labels.txt"
    path.write_bytes(newline.join(["café", "犬", ""]).encode(encoding))
    assert read_text_file(path, "the labels") == "café\n犬\n"


def test_utf_16_is_read_in_either_order(tmp_path):
    path = tmp_path / "labels.txt"
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        path.write_bytes(mark + "犬".encode(encoding))
        assert read_text_file(path, "the labels") == "犬"


def test_what_is_in_no_known_encoding_is_refused_with_its_place(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes("dog\ncafé\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"not in UTF-8 \(byte 0xe9, line 2\)"):
        read_text_file(path, "the labels")
    path.write_bytes("dog\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="without a byte order mark"):
        read_text_file(path, "the labels")


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="cannot be read"):
            read_text_file(path, "the labels")
