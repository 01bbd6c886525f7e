"""Pictures of the float and the quantised model are shown over each other; of classifiers, what changed."""

import re
from collections.abc import Sequence
from functools import partial

import numpy as np

from edgevision.exporters.quantization.example_figures import examples_section
from edgevision.runtime.tasks.quality import Example

NASTY = "<script>alert('ö')</script>&\"quoted\""


def picture(shade: int, height: int = 6, width: int = 8, channels: int = 3) -> partial[np.ndarray]:
    return partial(np.full, (height, width, channels), shade, np.uint8)


def answers(expected: Sequence[str | None], before: str, after: str) -> list[tuple[Example, Example]]:
    """A pair for each letter of the answers."""
    return [
        (Example(f"{index}.png", picture(9), one, right), Example(f"{index}.png", picture(9), other, right))
        for index, (right, one, other) in enumerate(zip(expected, before, after, strict=True))
    ]


def section(pairs: Sequence[tuple[Example, Example]]) -> str:
    return "".join(examples_section(pairs, "all int8"))


def test_pictures_stand_over_each_other_with_what_lies_between() -> None:
    text = section([(Example("a.png", picture(100)), Example("a.png", picture(103)))])
    assert text.count("<img src='data:image/png;base64,") == 3
    assert text.count("type=range") == 1
    # 3 of 255 are 38.6 dB.
    assert "PSNR 38.6 dB between both, at most 3 of 255; difference times 64" in text


def test_equal_pictures_are_said_to_be_equal() -> None:
    text = section([(Example(NASTY, picture(7, channels=1)), Example(NASTY, picture(7, channels=1)))])
    assert "both are equal, at most 0 of 255; difference times 1" in text
    assert "<script" not in text


def test_large_pictures_are_cut_and_not_shrunk() -> None:
    noise = partial(np.random.default_rng(0).integers, 0, 256, (900, 700, 3), np.uint8)
    text = section([(Example("a", noise), Example("a", noise))])
    assert len(text) < 4 * 3 * 256 * 256 * 3 * 1.1


def test_what_classes_lost_and_gained_is_counted() -> None:
    pairs = answers("aaaabbbbcc", before="aaabbbaacc", after="abbabbbacc")
    text = section(pairs)
    assert (
        "4 of 10 answers of all int8 are others than the float model's: 2 of them lost, which it had right, and 2"
        in text
    )
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(<td.*?)</tr>", text)]
    assert rows == [["a", "2", "1", "3", "2", "4", "2 to b"], ["b", "0", "1", "2", "3", "4", ""]]
    assert "1 other classes neither lost nor gained" in text
    # Those that were right come first.
    captions = re.findall(r"<figcaption>(.) → (.)", text)
    assert captions[:2] == [("a", "b"), ("a", "b")]


def test_without_classes_answers_that_became_others_are_counted() -> None:
    text = section(answers([None] * 4, before="aabb", after="bbbb"))
    assert "2 of 4 answers of all int8 are others than the float model's.</p>" in text
    assert "<td>a</td><td>b</td><td class=n>2</td>" in text


def test_where_no_answer_changed_there_is_no_table() -> None:
    text = section(answers("ab", before="ab", after="ab"))
    assert "0 of 2 answers" in text
    assert "<table" not in text


def test_names_and_answers_of_strangers_are_text() -> None:
    pair = (Example(NASTY, picture(1), NASTY, NASTY), Example(NASTY, picture(1), "other", NASTY))
    assert "<script" not in section([pair])


def test_nothing_to_see_is_no_section() -> None:
    assert examples_section([], "int8") == []
