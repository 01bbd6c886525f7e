"""A finder of a red, a green and a blue dot, and pictures with such dots: points that anyone can check."""

import csv

import numpy as np
from onnx_writer import node, onnx_model

SIDE = 64
CELL = 4


def write_finder(path, metadata=None):
    """A network whose heat maps are the three colours, a quarter as large."""
    weights = np.zeros((3, 3, CELL, CELL), np.float32)
    weights[range(3), range(3)] = 1 / CELL**2
    convolution = node("Conv", ["image", "w"], ["maps"], strides=[CELL, CELL], kernel_shape=[CELL, CELL])
    cells = SIDE // CELL
    path.write_bytes(
        onnx_model(
            [convolution], {"image": ("n", 3, SIDE, SIDE)}, {"maps": ("n", 3, cells, cells)}, {"w": weights}, metadata
        )
    )


def draw_dots(points, height, width, radius=5.0):
    """uint8 (height, width, 3): a soft dot of each colour round each (x, y)."""
    y, x = np.mgrid[:height, :width] + 0.5
    maps = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2)) for px, py in points]
    return np.round(255 * np.stack(maps, axis=2)).astype(np.uint8)


def write_pictures(folder, count=12, seed=0):
    """Pictures with a thing each, and ``points.csv``; gives the points by name."""
    from PIL import Image

    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    lines = {}
    for number in range(count):
        height, width = (int(side) for side in generator.integers(90, 150, 2))
        middle = generator.uniform((35, 35), (width - 35, height - 35))
        points = middle + generator.uniform(-20, 20, (3, 2))
        Image.fromarray(draw_dots(points, height, width)).save(folder / f"{number:02d}.png")
        lines[f"{number:02d}.png"] = points
    with (folder / "points.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["", "red_x", "red_y", "green_x", "green_y", "blue_x", "blue_y"])
        writer.writerows([name, *np.round(points, 2).reshape(-1)] for name, points in lines.items())
    return lines
