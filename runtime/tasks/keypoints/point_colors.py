"""Which points are drawn in one colour: those of one part, or of one side."""

from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec


def point_colors(spec: KeypointsSpec, count: int) -> list[int]:
    """A number for each of ``count`` points: of the part that joins them, or 0, 1 and 2 for the middle and the sides.

    A skeleton in several parts, as the contours of a face, is told apart by them; in one, left and right are.
    """
    part = list(range(count))
    for one, other in spec.skeleton:
        before, after = part[one], part[other]
        part = [after if own == before else own for own in part]
    joined = {part[end] for pair in spec.skeleton for end in pair}
    if len(joined) > 1:
        numbers = {own: index for index, own in enumerate(dict.fromkeys(part))}
        return [numbers[own] for own in part]
    colors = [0] * count
    for one, other in spec.swaps:
        colors[one], colors[other] = 1, 5
    return colors
