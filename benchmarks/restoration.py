"""The restoration models that ship beside what a user has today: OpenCV, BM3D, bicubic interpolation.

    pip install bm3d
    python benchmarks/restoration.py --photos photos --gray set12 --pairs set5 [--int8 DIR] [--sheets DIR] [--count 24]

``--photos`` holds the photographs of the training: only the tenth that it holds out is used. ``--gray`` holds gray
pictures to denoise, ``--pairs`` pictures NAME_HR and NAME_LR of half the size. With ``--sheets`` a sheet of pictures
before and after is written for each task. ``--int8`` holds what `edgevision export --int8` makes of the shipped
checkpoints, under the checkpoints' names. Figures are means over the pictures, in dB, and SSIM of the luma.
"""

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import edgevision
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.data.degradations import add_noise, draw_holes, shrink, underexpose
from edgevision.data.hole_kinds import HoleKind
from edgevision.data.noise import add_camera_noise, add_impulse_noise, add_jpeg_noise
from edgevision.imaging.images import to_array
from edgevision.imaging.samples import as_float, luma_of
from edgevision.metrics.figures import psnr_db, ssim
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.restoration.evaluation import evaluate_restorer
from edgevision.runtime.tasks.restoration.restorer import Restorer

Pixels = NDArray[np.uint8]
Method = Callable[..., np.ndarray]

ON_A_SHEET = 10

Noise = Callable[[np.ndarray, np.random.Generator], np.ndarray]

NOISES: dict[str, Noise] = {
    "none": lambda image, generator: image,
    "camera, light (sigma 6)": lambda image, generator: add_camera_noise(image, 6, generator),
    "camera, medium (sigma 12)": lambda image, generator: add_camera_noise(image, 12, generator),
    "camera, heavy (sigma 24)": lambda image, generator: add_camera_noise(image, 24, generator),
    "white, sigma 25": lambda image, generator: add_noise(image, 25, generator).clip(0, 1),
    "JPEG of quality 10": lambda image, generator: add_jpeg_noise(image, 10, generator),
    "JPEG of quality 30": lambda image, generator: add_jpeg_noise(image, 30, generator),
    "JPEG of quality 60": lambda image, generator: add_jpeg_noise(image, 60, generator),
    "JPEG of quality 80": lambda image, generator: add_jpeg_noise(image, 80, generator),
    "JPEG of quality 95": lambda image, generator: add_jpeg_noise(image, 95, generator),
    "blotches of 3 pixels, sigma 15": lambda image, generator: add_blotches(image, 3, 15, generator),
    "impulse, 2 %": lambda image, generator: add_impulse_noise(image, 0.02, generator),
    "impulse, 10 %": lambda image, generator: add_impulse_noise(image, 0.1, generator),
}


def add_blotches(image: np.ndarray, side: int, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """White noise of squares of ``side`` pixels, as subsampled colour leaves it, rounded to 8 bits."""
    height, width, channels = image.shape
    coarse = generator.normal(0, sigma / 255, (-(-height // side), -(-width // side), channels))
    noise = np.repeat(np.repeat(coarse, side, axis=0), side, axis=1)[:height, :width]
    return as_float(to_8_bit(image + noise.astype(np.float32)))


NON_LOCAL_MEANS_STRENGTHS = (1, 2, 3, 5, 7, 10, 14, 19, 25, 32)


class Table:
    """Rows of (task, what was done to the pictures, method, PSNR, SSIM), printed as they come."""

    def __init__(self) -> None:
        print("| task | pictures | method | PSNR dB | SSIM |\n|---|---|---|---|---|")

    def add(self, task: str, pictures: str, method: str, psnr: float, similarity: float | None) -> None:
        shown = "" if similarity is None else f"{similarity:.4f}"
        print(f"| {task} | {pictures} | {method} | {psnr:.2f} | {shown} |", flush=True)


class Shipped:
    """The models that ship, and their int8 forms where a folder of them was given."""

    def __init__(self, int8: Path | None) -> None:
        self._int8 = int8

    @contextmanager
    def open(self, task: str, scale: int | None = None) -> Iterator[dict[str, Restorer]]:
        """By the name of the method, the float one first."""
        path = shipped_model(task, scale)
        with ExitStack() as opened:
            models = {"edgevision fp32": opened.enter_context(edgevision.load(path))}
            if task == "denoise":
                models["edgevision fp32, denoise_white"] = opened.enter_context(edgevision.load("denoise_white"))
            if self._int8 is not None:
                models["edgevision int8"] = opened.enter_context(edgevision.load(self._int8 / path.name))
            yield models


def held_out(folder: str, count: int) -> list[Pixels]:
    """At most ``count`` of the held-out photographs, spread evenly."""
    data = ImageFolder(folder)
    indices = [index for index, name in enumerate(data.names) if is_held_out(name)]
    chosen = np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int)
    return [to_array(data.image(indices[i])) for i in chosen]


def compare_inpainting(shipped: Shipped, photos: list[Pixels], table: Table) -> Iterator[list[Pixels]]:
    """Yield for the sheet: the torn picture, OpenCV's better method, ours, the original."""
    with shipped.open("inpaint") as models:
        for kind in (HoleKind.STROKES, HoleKind.BOXES, HoleKind.TEXT):
            generator = np.random.default_rng(0)
            methods: dict[str, Method] = {
                "OpenCV Telea": lambda torn, mask: cv2.inpaint(torn, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA),
                "OpenCV Navier-Stokes": lambda torn, mask: cv2.inpaint(torn, mask.astype(np.uint8), 3, cv2.INPAINT_NS),
            }
            methods |= {name: partial(_inpainted, model) for name, model in models.items()}
            scores: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
            for number, photo in enumerate(photos):
                mask = draw_holes(kind, photo.shape[0], photo.shape[1], generator)
                torn = np.where(mask[:, :, None], np.uint8(0), photo)
                results = {name: method(torn, mask) for name, method in methods.items()}
                for name, result in results.items():
                    inside = psnr_db(as_float(photo)[mask], as_float(result)[mask])
                    scores[name].append((inside, ssim(luma_of(photo), luma_of(result))))
                if number < ON_A_SHEET // 2:
                    white = np.where(mask[:, :, None], np.uint8(255), photo)
                    yield [white, results["OpenCV Telea"], results["edgevision fp32"], photo]
            for name, values in scores.items():
                psnr, similarity = np.mean(values, axis=0)
                table.add("inpaint", f"{kind}, {len(photos)} photos, inside the holes", name, psnr, similarity)


def _inpainted(inpaint: Restorer, torn: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    return inpaint(torn, mask).pixels  # type: ignore[call-arg]


def compare_denoising(
    shipped: Shipped, pictures: list[Pixels], what: str, table: Table, sigma: float = 25.0
) -> Iterator[list[Pixels]]:
    """Yield for the sheet: the noisy picture, BM3D, ours, the original."""
    import bm3d

    def non_local_means(strength: int) -> Method:
        def apply(noisy: np.ndarray) -> np.ndarray:
            pixels = to_8_bit(noisy)
            if pixels.shape[2] == 1:
                return as_float(cv2.fastNlMeansDenoising(pixels, None, strength)[:, :, None])
            return as_float(cv2.fastNlMeansDenoisingColored(pixels, None, strength, strength))

        return apply

    def block_matching(noisy: np.ndarray) -> np.ndarray:
        if noisy.shape[2] == 1:
            return np.asarray(bm3d.bm3d(noisy[:, :, 0], sigma / 255), np.float32)[:, :, None].clip(0, 1)
        return np.asarray(bm3d.bm3d_rgb(noisy, sigma / 255), np.float32).clip(0, 1)

    with shipped.open("denoise") as models:

        def ours(denoise: Restorer, noisy: np.ndarray) -> np.ndarray:
            return np.concatenate([rows for _, rows in denoise.restore(noisy)]).clip(0, 1)

        # The best of several strengths, as a careful user would find it.
        methods = {f"OpenCV non-local means, h={h}": non_local_means(h) for h in (15, 20, 25)}
        methods |= {"BM3D (bm3d)": block_matching}
        methods |= {name: partial(ours, model) for name, model in models.items()}
        generator = np.random.default_rng(0)
        scores: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
        for number, picture in enumerate(pictures):
            good = as_float(picture)
            noisy = add_noise(good, sigma, generator)
            results = {name: method(noisy) for name, method in methods.items()}
            for name, result in results.items():
                scores[name].append((psnr_db(good, result), ssim(luma_of(good), luma_of(result))))
            if number < ON_A_SHEET:
                shown = (noisy.clip(0, 1), results["BM3D (bm3d)"], results["edgevision fp32"], good)
                yield [to_8_bit(panel) for panel in shown]
        for name, values in scores.items():
            psnr, similarity = np.mean(values, axis=0)
            table.add("denoise", f"{what}, sigma {sigma:g}", name, psnr, similarity)


def compare_noises(shipped: Shipped, pictures: list[Pixels], table: Table) -> Iterator[list[Pixels]]:
    """Yield for the sheet: the noisy picture, OpenCV's non-local means at the best h for it, ours, the original."""
    with shipped.open("denoise") as models:
        for kind, add in NOISES.items():
            generator = np.random.default_rng(0)
            scores: dict[str, list[tuple[float, float]]] = {}
            for number, picture in enumerate(pictures):
                good = as_float(picture)
                noisy = add(good, generator)
                pixels = to_8_bit(noisy)
                means = [cv2.fastNlMeansDenoisingColored(pixels, None, h, h) for h in NON_LOCAL_MEANS_STRENGTHS]
                results: dict[str, np.ndarray] = {
                    "as it is": noisy,
                    "OpenCV non-local means, best h for each": max(
                        map(as_float, means), key=lambda result: psnr_db(good, result)
                    ),
                }
                for name, model in models.items():
                    results[name] = np.concatenate([rows for _, rows in model.restore(noisy)]).clip(0, 1)
                for name, result in results.items():
                    figures = psnr_db(good, result), ssim(luma_of(good), luma_of(result))
                    scores.setdefault(name, []).append(figures)
                if number < 2:
                    yield [to_8_bit(panel) for panel in (*list(results.values())[:3], good)]
            for name, values in scores.items():
                # A picture that came back exactly has no finite PSNR.
                psnr, similarity = np.mean(np.minimum(values, 100), axis=0)
                table.add("denoise", f"{len(pictures)} colour photos, noise: {kind}", name, psnr, similarity)


def compare_upscaling(shipped: Shipped, pairs: str, photos: list[Pixels], table: Table) -> Iterator[list[Pixels]]:
    """Yield for the sheet: bicubic, ours, the original, four times enlarged."""
    data = ImageFolder(pairs)
    large = [index for index, name in enumerate(data.names) if Path(name).stem.endswith("_HR")]
    for scale in (2, 4):
        with shipped.open("upscale", scale) as models:
            for name, upscale in models.items():
                if scale == 2:
                    report = evaluate_restorer(upscale, data, EvaluationOptions(quiet=True))
                    figures, before, made = report.figures, report.before, "LR as they come"
                else:
                    figures, before = mean_upscaling(upscale, [to_array(data.image(i)) for i in large])
                    made = "LR by Pillow's antialiased bicubic"
                results = [(f"Set5 x{scale}, Y in 16..235, {scale} px border off, {made}", figures, before)]
                results.append((f"{len(photos)} photos x{scale}, Y in 16..235", *mean_upscaling(upscale, photos)))
                for what, figures, before in results:
                    if name == "edgevision fp32":
                        table.add("upscale", what, "bicubic", before["psnr_y_studio"], before["ssim"])
                    table.add("upscale", what, name, figures["psnr_y_studio"], figures["ssim"])
            for quality in (None, 80, 60, 40):
                compare_upscaling_of_files(models, photos, scale, quality, table)
            if scale == 4:
                for photo in photos[:ON_A_SHEET]:
                    height, width = (side // 4 * 4 for side in photo.shape[:2])
                    low = shrink(Image.fromarray(photo[:height, :width]), 4)
                    bicubic = np.asarray(low.resize((width, height), Image.Resampling.BICUBIC))
                    yield [bicubic, models["edgevision fp32"](low).pixels, photo[:height, :width]]


def compare_upscaling_of_files(
    models: dict[str, Restorer], photos: list[Pixels], scale: int, quality: int | None, table: Table
) -> None:
    """From pictures that were shrunk and, but for a ``quality`` of ``None``, stored as JPEG files of it."""
    scores: dict[str, list[tuple[float, float]]] = {}
    for photo in photos:
        height, width = (side // scale * scale for side in photo.shape[:2])
        luma = luma_of(photo[:height, :width])
        low = shrink(Image.fromarray(photo[:height, :width]), scale)
        if quality is not None:
            file = io.BytesIO()
            low.save(file, "JPEG", quality=quality)
            low = Image.open(file).convert("RGB")
        results = {"bicubic": np.asarray(low.resize((width, height), Image.Resampling.BICUBIC))}
        results |= {name: upscale(low).pixels for name, upscale in models.items()}
        for name, result in results.items():
            scores.setdefault(name, []).append((psnr_db(luma, luma_of(result)), ssim(luma, luma_of(result))))
    for name, values in scores.items():
        psnr, similarity = np.mean(values, axis=0)
        made = "clean" if quality is None else f"from JPEG of quality {quality}"
        table.add("upscale", f"{len(photos)} photos x{scale}, Y, {made}", name, psnr, similarity)


def mean_upscaling(upscale: Restorer, pictures: list[Pixels]) -> tuple[dict[str, float], dict[str, float]]:
    """Figures after and before, of pictures that are shrunk by Pillow."""
    with tempfile.TemporaryDirectory() as folder:
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(Path(folder) / f"{number:04}.png")
        report = evaluate_restorer(upscale, ImageFolder(folder), EvaluationOptions(quiet=True))
    return dict(report.figures), dict(report.before)


def compare_brightening(shipped: Shipped, photos: list[Pixels], table: Table) -> Iterator[list[Pixels]]:
    """Yield for the sheet: the dark picture, CLAHE, gamma, ours, the original."""

    def clahe(dark: Pixels) -> Pixels:
        lab = cv2.cvtColor(dark, cv2.COLOR_RGB2LAB)
        lab[:, :, 0] = cv2.createCLAHE(clipLimit=4.0, tileGridSize=(8, 8)).apply(lab[:, :, 0])
        return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)

    def gamma(dark: Pixels) -> Pixels:
        """The gamma that brings the mean to middle gray, which is more than a fixed one can."""
        mean = float(np.clip(as_float(dark).mean(), 0.01, 0.99))
        return to_8_bit(as_float(dark) ** np.float32(np.log(0.45) / np.log(mean)))

    with shipped.open("brighten") as models:
        methods: dict[str, Method] = {
            "as it is": lambda dark: dark,
            "OpenCV CLAHE on L, clip 4, 8x8": clahe,
            "gamma to a mean of 0.45": gamma,
            "gamma 2.2": lambda dark: to_8_bit(as_float(dark) ** np.float32(1 / 2.2)),
        }
        methods |= {name: partial(_brightened, model) for name, model in models.items()}
        generator = np.random.default_rng(0)
        scores: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
        for number, photo in enumerate(photos):
            dark = underexpose(photo, generator)
            results = {name: method(dark) for name, method in methods.items()}
            for name, result in results.items():
                scores[name].append((psnr_db(as_float(photo), as_float(result)), ssim(luma_of(photo), luma_of(result))))
            if number < ON_A_SHEET:
                names = ("as it is", "OpenCV CLAHE on L, clip 4, 8x8", "gamma to a mean of 0.45", "edgevision fp32")
                yield [*(results[name] for name in names), photo]
        for name, values in scores.items():
            psnr, similarity = np.mean(values, axis=0)
            table.add("brighten", f"{len(photos)} photos, 1.5 to 4.5 stops too dark", name, psnr, similarity)
        for name, method in methods.items():
            # A picture that comes back exactly has no finite PSNR.
            changes = [min(100, psnr_db(as_float(photo), as_float(method(photo)))) for photo in photos]
            what = f"{len(photos)} photos as they were taken; {sum(psnr >= 35 for psnr in changes)} kept at 35 dB"
            table.add("brighten", what, name, float(np.mean(changes)), None)
        squared = [to_8_bit(as_float(photo) ** 2) for photo in photos]
        named_dark = {f"{name}, --always": partial(_brightened, model, always=True) for name, model in models.items()}
        for name, method in (methods | named_dark).items():
            pairs = zip(photos, squared, strict=True)
            nearness = [psnr_db(as_float(photo), as_float(method(dark))) for photo, dark in pairs]
            what = f"{len(photos)} photos with their samples squared"
            table.add("brighten", what, name, float(np.mean(nearness)), None)


def _brightened(brighten: Restorer, dark: Pixels, *, always: bool = False) -> Pixels:
    return brighten(dark, always=always).pixels


def to_8_bit(samples: np.ndarray) -> Pixels:
    """float 0..1 to uint8."""
    return (samples.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def write_sheet(rows: list[list[Pixels]], path: Path) -> None:
    """One row a picture; panels of one height."""
    lines = []
    for row in rows:
        panels = [np.repeat(panel, 3, axis=2) if panel.shape[2] == 1 else panel for panel in row]
        gap = np.full((panels[0].shape[0], 6, 3), 255, np.uint8)
        lines.append(np.concatenate([part for panel in panels for part in (panel, gap)], axis=1))
    width = max(line.shape[1] for line in lines)
    padded = [np.pad(line, ((0, 6), (0, width - line.shape[1]), (0, 0)), constant_values=255) for line in lines]
    Image.fromarray(np.concatenate(padded)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--gray", required=True)
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--int8", type=Path)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--count", type=int, default=24, help="photographs a task")
    parser.add_argument("--tasks", nargs="+", default=["inpaint", "denoise", "noises", "upscale", "brighten"])
    arguments = parser.parse_args()
    photos = held_out(arguments.photos, arguments.count)
    gray = ImageFolder(arguments.gray)
    grays = [np.asarray(gray.image(i).convert("L"))[:, :, None] for i in range(len(gray))]
    table, shipped = Table(), Shipped(arguments.int8)
    comparisons: dict[str, Callable[[], Iterator[list[Pixels]]]] = {
        "inpaint": lambda: compare_inpainting(shipped, photos, table),
        "denoise": lambda: compare_denoising(shipped, photos, f"{len(photos)} colour photos", table),
        "denoise gray": lambda: compare_denoising(shipped, grays, f"Set12, {len(grays)} gray pictures", table),
        "noises": lambda: compare_noises(shipped, photos, table),
        "upscale": lambda: compare_upscaling(shipped, arguments.pairs, photos, table),
        "brighten": lambda: compare_brightening(shipped, photos, table),
    }
    for name, compare in comparisons.items():
        if name.split()[0] in arguments.tasks:
            rows = list(compare())
            if arguments.sheets:
                arguments.sheets.mkdir(parents=True, exist_ok=True)
                write_sheet(rows, arguments.sheets / f"{name.replace(' ', '-')}.png")


if __name__ == "__main__":
    main()
