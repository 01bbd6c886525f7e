"""Colours as people write them."""

from edgevision.core.printable import shortened


def parse_colour(text: str) -> tuple[int, int, int]:
    """RGB of 0 to 255 of a name as ``white``, of ``#f80`` or ``#ff8800``, or of ``255,136,0``.

    Raises:
        ValueError: it is none of these.
    """
    from PIL import ImageColor

    numbers = text.split(",")
    if len(numbers) == 3 and all(part.strip().isdecimal() and len(part.strip()) < 4 for part in numbers):
        red, green, blue = (int(part) for part in numbers)
        if max(red, green, blue) <= 255:
            return red, green, blue
    try:
        return ImageColor.getrgb(text.strip())[:3]
    except ValueError:
        raise ValueError(f"a colour is a name as white, #ff8800, or 255,136,0, not {shortened(text)}") from None
