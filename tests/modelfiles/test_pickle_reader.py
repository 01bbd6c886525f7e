"""A pickle is read as data: nothing it names runs, and what it makes is in proportion to its size."""

import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from edgevision.core.errors import ModelFileError
from edgevision.modelfiles.checkpoint_file import describe
from edgevision.modelfiles.nesting import check_nesting
from edgevision.modelfiles.pickle_reader import INERT, Builder, PickleReader


def read(data: bytes, *, memory: int = 1 << 20) -> Any:
    def find_global(module: str, name: str) -> Any:
        return Builder(name, OrderedDict) if name == "OrderedDict" else INERT

    return PickleReader(data, find_global=find_global, find_persistent=lambda identity: INERT, memory=memory).read()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "content",
    [
        {"a": [1, 2.5, None, True, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], "b": {"c": "ümlaut", 7: -1}},
        ["x" * 300, -(2**40), 2**31, 255, 256, 65536, [[]], {}, {"k": {}}],
        OrderedDict(first=1, second=[2]),
    ],
)
def test_plain_containers_come_out_as_they_went_in(protocol: int, content: Any) -> None:
    found = read(pickle.dumps(content, protocol=protocol))
    assert found == content
    assert type(found) is type(content)


def test_what_is_held_in_two_places_stays_one_object() -> None:
    both = read(pickle.dumps([shared := [1], shared], protocol=4))
    assert both[0] is both[1]


def test_objects_of_other_classes_take_everything_and_do_nothing(tmp_path: Path) -> None:
    found = read(pickle.dumps({"path": tmp_path, "number": 1, "set": {1, 2}}, protocol=4))
    assert found["path"] is INERT
    assert found["number"] == 1
    assert found["set"] == {1, 2}


TUPLES_OF_THE_LAST_TWICE = b"\x80\x02)" + b"2\x86" * 80
PUT, GET = b"q\x00", b"h\x00"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut off"),
        (b"garbage", "the instruction 0x67"),
        (b"\x80\x02X\xff\xff\xff\x7fab.", "cut off"),
        (b"\x80\x04\x8e" + b"\xff" * 8 + b"ab.", "cut off"),
        (b"\x80\x02h\x05.", "cut off or damaged"),
        (b"\x80\x02.", "cut off or damaged"),
        (b"\x80\x02}" + PUT + b"X\x01\x00\x00\x00ah\x00s.", "a dict that holds itself"),
        (b"\x80\x02]" + PUT + b"]q\x01h\x00ah\x01a.", "a list that holds itself"),
        (b"\x80\x02" + b"]" * 200 + b"a" * 199 + b".", "nests more than 100"),
        (TUPLES_OF_THE_LAST_TWICE + b".", "in more than 20000000 places"),
        (b"\x80\x02\x8b" + struct.pack("<i", 10**6) + b"\x01" * 10**6 + b".", "a number of 1000000 bytes"),
        (b"\x80\x02" + b"}" * 30_000 + b".", "far more memory"),
        (b"\x80\x02X\x00\x00\x01\x00" + b"x" * 65536 + PUT + b"(" + GET * 200_000 + b"e.", "far more"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01K\x02\x86R.", "other arguments than it takes"),
        (b"\x80\x02" + b"N0" * 20_000 + b".", "far more instructions"),
        (b"\x80\x02c" + b"x" * 100_000 + b"\n.", "names something without an end"),
        (b"\x80\x02K\x05)R.", "calls a int"),
    ],
)
def test_what_would_take_memory_or_time_out_of_proportion_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(data, memory=1 << 20)


@pytest.mark.parametrize(
    "item",
    [
        TUPLES_OF_THE_LAST_TWICE[2:] + b"Ns",
        b"\x8a\x09" + b"\x01" * 9 + b"Ns",
        pickle.dumps({((1, 2), 3): None, tuple(range(20)): None}, protocol=2)[3:-1],
        b"]Ns",
    ],
)
def test_items_whose_keys_could_take_long_or_are_none_are_left_out(item: bytes) -> None:
    assert read(b"\x80\x02}" + item + b"X\x01\x00\x00\x00aK\x01s.", memory=1 << 20) == {"a": 1}


def test_numbers_are_as_long_as_the_states_of_random_generators() -> None:
    numbers = {"state": 2**127 + 5, "inc": -(2**130)}
    assert read(pickle.dumps(numbers, protocol=4)) == numbers


def test_a_far_place_in_the_memo_takes_no_memory() -> None:
    assert read(b"\x80\x02}r\xff\xff\xff\x7f.", memory=1000) == {}


def test_a_copy_of_many_items_is_paid_for() -> None:
    pairs = pickle.dumps([("k", 1)], protocol=2)[:-1] + PUT
    many = pairs + b"ccollections\nOrderedDict\nq\x01" + (b"h\x01h\x00\x85R" * 3000)
    with pytest.raises(ValueError, match="far more memory"):
        read(many + b".")


def test_nesting_is_checked_in_what_pytorch_itself_has_read() -> None:
    holder: dict[str, Any] = {}
    holder["model"] = [holder]
    with pytest.raises(ValueError, match="holds itself"):
        check_nesting(holder)
    check_nesting({"a": (shared := {"b": 1}), "c": shared, "d": {1, "x"}})


def test_the_document_of_somebody_elses_file_is_none_and_of_no_checkpoint_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(pickle.dumps({"edgevision": "{}"}))
    with pytest.raises(ModelFileError, match="not a checkpoint of this project"):
        describe(path)
