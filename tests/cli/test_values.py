"""Values of options that are words of their own."""

from collections.abc import Callable

import pytest

from edgevision.cli.values import json_object, parse_cores, parse_shape, parse_share, parse_size, parse_time
from edgevision.core.errors import InputError
from edgevision.runtime.tasks.generation.command import parse_seeds
from edgevision.runtime.tasks.restoration.running import parse_tile


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (parse_cores, ["9" * 5000, "0-99999999999", "8192", "٣", "-1", "1-", "5-2", ""]),
        (parse_shape, ["9" * 5000, "1x3x99999999x99999999", "1x٣", "1x-3", "1x0", "1x+3", "1x 3", ""]),
        (lambda text: parse_share(text, "--precision"), ["9" * 5000, "nan", "٢%", "inf%", "1_0%", "100%", "0"]),
        (
            lambda text: parse_size(text, "--memory"),
            [f"{'9' * 500}GB", "9" * 5000, "0", "0.1", "nanGB", "-1GB", "٣GB", "1025GB", "1e9"],
        ),
        (lambda text: parse_time(text, "--timeout"), ["9" * 5000, "", "-1s", "nan", "٣s", "1d", "1e3", "9999h"]),
        (parse_tile, ["9" * 5000, "0", "-1", "٣", "65537", "1e3", "nan"]),
        (parse_seeds, ["9" * 5000 + ":1", "٣:1", "-1:2", "1", "1:2:3"]),
    ],
)
def test_numbers_in_words_are_refused_in_one_line_too(parse: Callable[[str], object], texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(InputError) as refused:
            parse(text)
        assert len(str(refused.value)) < 250


def test_an_option_that_takes_an_object_says_so() -> None:
    assert json_object('{"shortcut": "B"}', "--model-options") == {"shortcut": "B"}
    for text in ("[1]", "{", "B", ""):
        with pytest.raises(InputError, match="--model-options must be a JSON object"):
            json_object(text, "--model-options")


@pytest.mark.parametrize("text", ["a line of some other file\n" * 500, "[" + "1," * 500 + "1]"])
def test_what_is_no_json_object_is_not_repeated_whole(text):
    with pytest.raises(InputError) as refused:
        json_object(text, "--head")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(("text", "cores"), [("0", {0}), ("0-2,5", {0, 1, 2, 5}), ("4,6", {4, 6}), ("1-1", {1})])
def test_cores_are_numbers_and_ranges(text, cores):
    assert parse_cores(text) == cores


@pytest.mark.parametrize("text", ["", "a", "0-", "-1", "0,,1", "2-1", "1.5", "٣"])
def test_what_names_no_cores_is_refused(text):
    with pytest.raises(InputError, match="--cores"):
        parse_cores(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512MB", 1 << 29),
        ("1GB", 1 << 30),
        ("1 GiB", 1 << 30),
        ("0.5g", 1 << 29),
        ("64k", 1 << 16),
        ("4000000", 4_000_000),
        ("9B", 9),
    ],
)
def test_a_size_is_a_number_with_or_without_a_unit(text, size):
    assert parse_size(text, "--memory") == size


@pytest.mark.parametrize("text", ["0", "0MB", "-1GB", "MB", "", "1TB", "lots", "1,5GB"])
def test_a_size_of_anything_else_is_refused(text):
    with pytest.raises(InputError, match="--memory is a size as 512MB or 1GB"):
        parse_size(text, "--memory")


@pytest.mark.parametrize(
    ("text", "seconds"), [("5ms", 0.005), ("90", 90), ("30s", 30), ("1.5 m", 90), ("2H", 7200), ("0", 0)]
)
def test_a_time_is_a_number_with_or_without_a_unit(text: str, seconds: float) -> None:
    assert parse_time(text, "--timeout") == pytest.approx(seconds)
