import pytest

from edgevision.imaging.colour_names import parse_colour


@pytest.mark.parametrize(
    ("text", "colour"),
    [("white", (255, 255, 255)), ("#f80", (255, 136, 0)), ("#FF8800", (255, 136, 0)), ("1, 2,3", (1, 2, 3))],
)
def test_a_colour_is_a_name_hexadecimal_or_three_numbers(text: str, colour: tuple[int, int, int]) -> None:
    assert parse_colour(text) == colour


@pytest.mark.parametrize("text", ["", "no such", "1,2", "1,2,300", "#12345", "1,2,3,4", "-1,2,3"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a colour is a name as white"):
        parse_colour(text)
