"""The codec that ships beside the formats that are on every machine: JPEG, WebP and AVIF, as Pillow writes them.

    python benchmarks/compression.py --photos photos --gray set12 --colour set5 [--count 24] [--sheet sheet.png]
    python benchmarks/compression.py ... --compress compress.onnx --decompress decompress.onnx

``--photos`` holds the photographs of the training: only the tenth that it holds out is used, evenly ``--count`` of
them. JPEG has its chroma halved (4:2:0) and its Huffman tables optimised, WebP ``method=6``, AVIF Pillow's defaults.
Bits a pixel are of whole files, PSNR is of RGB or gray; both are means over the pictures.

The last table says how many more bits each takes for the PSNR of JPEG at 0.2 to 0.6 bits a pixel (Bjøntegaard 2001,
but with straight lines of the logarithm of bits over PSNR from point to point), where both have points. With
``--sheet`` crops of photographs in each quality are shown beside JPEG of the same size.
"""

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, features

import edgevision
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.imaging.samples import as_float
from edgevision.metrics.figures import psnr_db
from edgevision.runtime.tasks.compression.compressor import Compressor
from edgevision.runtime.tasks.compression.decompressor import Decompressor

JPEG_QUALITIES = (3, 5, 8, 12, 16, 20, 25, 30, 40, 50, 60, 70)
OTHER_QUALITIES = (1, 10, 20, 35, 50, 65)
RATES = (0.2, 0.6)

Coded = tuple[int, np.ndarray]
"""Bytes of the file, and the picture that is read from it."""
Curve = list[tuple[float, float]]
"""Mean bits a pixel and PSNR in dB, quality by quality."""


def pillow_coder(kind: str, **options: object) -> Callable[[Image.Image, int], Coded]:
    def code(picture: Image.Image, quality: int) -> Coded:
        stream = io.BytesIO()
        picture.save(stream, kind, quality=quality, **options)
        with Image.open(stream) as read:
            return len(stream.getvalue()), np.asarray(read.convert(picture.mode))

    return code


def codec_coder(compress: Compressor, decompress: Decompressor) -> Callable[[Image.Image, int], Coded]:
    def code(picture: Image.Image, quality: int) -> Coded:
        compressed = compress(picture, quality=quality)
        return len(compressed.content), np.asarray(decompress(compressed))

    return code


def curve(
    code: Callable[[Image.Image, int], Coded], pictures: Sequence[Image.Image], qualities: Sequence[int]
) -> Curve:
    points = []
    for quality in qualities:
        figures = []
        for picture in pictures:
            size, restored = code(picture, quality)
            good = as_float(np.asarray(picture))
            figures.append((8 * size / (picture.width * picture.height), psnr_db(good, as_float(restored))))
        points.append(tuple(np.mean(figures, axis=0)))
    return points


def more_bits(of: Curve, reference: Curve) -> tuple[float, float, float]:
    """Percent that ``of`` takes more bits than ``reference`` in the mean, and between which PSNR that was measured."""
    rates, psnr = np.transpose(sorted(of, key=lambda point: point[1]))
    their_rates, their_psnr = np.transpose(sorted(reference, key=lambda point: point[1]))
    least, most = np.interp(RATES, their_rates, their_psnr)
    least, most = max(least, psnr[0]), min(most, psnr[-1])
    if least >= most:
        return np.nan, least, most
    places = np.linspace(least, most, 200)
    difference = np.interp(places, psnr, np.log(rates)) - np.interp(places, their_psnr, np.log(their_rates))
    return 100 * float(np.expm1(difference.mean())), least, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--gray", type=Path, required=True)
    parser.add_argument("--colour", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--compress", default="compress")
    parser.add_argument("--decompress", default="decompress")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    coders = {
        "JPEG": (pillow_coder("JPEG", optimize=True, subsampling="4:2:0"), JPEG_QUALITIES),
        "WebP": (pillow_coder("WEBP", method=6), OTHER_QUALITIES),
    }
    gray_options = {"JPEG": (pillow_coder("JPEG", optimize=True), JPEG_QUALITIES)}
    if features.check("avif"):
        coders["AVIF"] = (pillow_coder("AVIF"), OTHER_QUALITIES)
    with edgevision.load(options.compress) as compress, edgevision.load(options.decompress) as decompress:
        coders["edgevision"] = (codec_coder(compress, decompress), range(1, compress.qualities + 1))
        sets = {
            "photographs": [picture.convert("RGB") for picture in held_out(options.photos, options.count)],
            "Set12": [Image.open(path).convert("L") for path in sorted(options.gray.glob("*.png"))],
            "Set5": [Image.open(path).convert("RGB") for path in sorted(options.colour.glob("*.png"))],
        }
        print("| pictures | format | bits a pixel, PSNR in dB |\n|---|---|---|")
        curves: dict[str, dict[str, Curve]] = {}
        for name, pictures in sets.items():
            for format, (code, qualities) in coders.items():
                if name == "Set12":
                    code, qualities = gray_options.get(format, (code, qualities))
                points = curves.setdefault(name, {})[format] = curve(code, pictures, qualities)
                shown = "; ".join(f"{rate:.3f}, {psnr:.2f}" for rate, psnr in points if rate < 1.2)
                print(f"| {name}, {len(pictures)} | {format} | {shown} |", flush=True)
        print("\n| pictures | format | bits beside JPEG | of PSNR in dB |\n|---|---|---|---|")
        for name, found in curves.items():
            for format, points in found.items():
                if format != "JPEG":
                    change, least, most = more_bits(points, found["JPEG"])
                    print(f"| {name} | {format} | {change:+.1f} % | {least:.1f} to {most:.1f} |")
        if options.sheet is not None:
            sheet(sets["photographs"], coders["edgevision"][0], coders["JPEG"][0], compress.qualities).save(
                options.sheet
            )


def held_out(folder: Path, count: int) -> list[Image.Image]:
    data = ImageFolder(folder)
    found = [index for index, name in enumerate(data.names) if is_held_out(name)]
    return [data.image(found[place]) for place in np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)]


def sheet(
    pictures: Sequence[Image.Image], ours: Callable, jpeg: Callable, qualities: int, rows: int = 4
) -> Image.Image:
    """Rows of a photograph; of each quality ours, and JPEG that takes as many bytes or a few more."""
    side = 256
    made = Image.new("RGB", (side * (1 + 2 * qualities), side * rows), "white")
    for row, picture in enumerate(pictures[:: max(1, len(pictures) // rows)][:rows]):
        left, top = (picture.width - side) // 2, max(0, (picture.height - side) // 2)
        box = (left, top, left + side, top + side)
        made.paste(picture.crop(box), (0, side * row))
        for quality in range(1, qualities + 1):
            size, restored = ours(picture, quality)
            other = next(read for bytes_, read in (jpeg(picture, q) for q in range(1, 96)) if bytes_ >= size)
            for place, pixels in ((2 * quality - 1, restored), (2 * quality, other)):
                made.paste(Image.fromarray(pixels).crop(box), (side * place, side * row))
    return made


if __name__ == "__main__":
    main()
