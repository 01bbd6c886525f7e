"""Words of files and boards are shown so that no terminal, spreadsheet or page takes them for anything but words."""

import json
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.core.printable import csv_row, exact_json, one_line, printable, shown
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.classification.spec import ClassificationSpec

HOSTILE = "a\x1b]0;t\x07\x9b31m\u202eb\u2066\u200bc\udcffd\x7f\U000e0041"


def test_what_cannot_be_seen_is_shown_by_its_escape():
    assert printable(HOSTILE) == r"a\x1b]0;t\x07\x9b31m\u202eb\u2066\u200bc\udcffd\x7f\U000e0041"


def test_words_of_all_writings_stay_as_they_are():
    for word in ("Ürümqi 烏魯木齊", "каша", "ağaç", "e\u0301", "日本\u3000語", "10\u202fAM", "🐈"):
        assert printable(word) == word
        assert one_line(word) == word


def test_text_keeps_its_lines_and_a_name_makes_none():
    assert printable("a\r\nb\tc\rd") == "a\nb\tc\\rd"
    assert one_line("a\r\nb\tc\u2028d") == "a\\r\\nb\\tc\\u2028d"


@given(st.text(st.characters(codec=None)))
def test_json_holds_every_character_and_shows_only_what_can_be_seen(text):
    document = {text: [text, 1.5]}
    for ascii_only in (False, True):
        written = exact_json(document, ascii_only=ascii_only, indent=1)
        assert json.loads(written) == document
        assert all(c.isprintable() or c == "\n" for c in written)
    assert written.isascii()


@given(st.text(st.characters(codec=None)))
def test_a_name_on_one_line_can_be_seen_whole_and_written_in_utf_8(text):
    line = one_line(text)
    assert all(c.isprintable() or category(c) == "Zs" for c in line)
    line.encode()


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "-x.png"]
)
def test_no_cell_of_csv_is_a_formula(text):
    assert csv_row([text]) == ["'" + one_line(text)]


@pytest.mark.parametrize("value", [-1.5, 3, "-1.5", "+3", "-1e-05", "0.25", "cat", "a=b", "", "-", None])
def test_numbers_and_words_in_csv_stay(value):
    expected = "'-" if value == "-" else value
    assert csv_row([value]) == [expected]


def test_every_string_of_a_record_is_shown_and_nothing_else_changes():
    metadata = ModelMetadata(
        task="classify",
        name="a\x1b",
        spec=ClassificationSpec(labels=("b\n", "c")),
        quality={"top1\x07": 5.0},
        extra={"k": ["\u202e"]},
    )
    safe = shown(metadata)
    assert safe == metadata.updated(
        name="a\\x1b",
        spec=ClassificationSpec(labels=("b\\n", "c")),
        quality={"top1\\x07": 5.0},
        extra={"k": ["\\u202e"]},
    )
    assert safe.task == "classify"
