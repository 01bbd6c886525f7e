"""The search for the setting that is wrong: chosen on some pictures, and measured on others."""

import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import EdgevisionError
from edgevision.core.progress import track
from edgevision.data.datasets import ImageFolder
from edgevision.exporters.input_settings.candidates import Change, as_options, changed, changes, values_of
from edgevision.exporters.input_settings.report import SettingsReport, SettingTrial, WrongSetting
from edgevision.exporters.quantization.calibration_pictures import Pictures
from edgevision.imaging.preprocessing import sample, scale_and_offset
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.picture_figures import PictureFigures

# Fewer cannot show a difference that is not chance.
_FEWEST = 8
# By a sign test: of a right file one in two hundred would be called wrong.
_CHANCE = 0.01
_MEMORY = 512 << 20
_MOST_AT_ONCE = 2

Figures = Callable[[ModelMetadata, Pictures], PictureFigures]


def find_wrong_setting(
    engine: Engine,
    metadata: ModelMetadata,
    data: ImageFolder,
    options: EvaluationOptions,
    *,
    origin: ModelMetadata | None = None,
) -> SettingsReport | None:
    """Try other settings of the input than ``metadata`` have on ``engine``, and those that its ``origin`` has.

    The best is chosen on some of the pictures and measured on others, so that its gain is none of the choice. A second
    setting is looked for beside the first. ``None`` where the task has no figure for a picture, or there are too few.
    """
    task = find_task(metadata.task)
    if metadata.image is None or not task.compares_settings:
        return None
    shown, judged = _divided(data, *task.trial_pictures, side=task.crop_side(metadata, [data]))
    if min(len(shown), len(judged)) < _FEWEST:
        return None

    def figures(tried: ModelMetadata, pictures: Pictures) -> PictureFigures:
        return task.picture_figures(engine, tried, pictures, options)

    search = _Search(figures, shown, quiet=options.quiet)
    before = after = figures(metadata, judged)
    found, change = metadata, dict[str, Any]()
    for _ in range(_MOST_AT_ONCE):
        others = changes(found, origin, task.output_changes(found))
        better = search.best(found, [other for other in others if not other.keys() & change.keys()])
        if better is None:
            break
        tried = changed(found, better)
        then = figures(tried, judged)
        if not _is_no_chance(then.values - after.values):
            break
        found, change, after = tried, change | better, then
    gain = after.values - before.values
    now = values_of(metadata)
    wrong = None
    if change:
        wrong = WrongSetting(
            settings=as_options(change),
            instead_of=as_options({name: now[name] for name in change}),
            before=float(before.values.mean()),
            after=float(after.values.mean()),
            gain=float(gain.mean()),
            interval=_interval(gain),
        )
    return SettingsReport(
        metric=before.metric,
        unit=before.unit,
        truth=before.truth,
        pictures=len(judged),
        tried=tuple(search.trials),
        alike=tuple(sorted(search.alike)),
        wrong=wrong,
    )


class _Search:
    """Tries changes on some pictures, each that makes a difference once.

    Attributes:
        trials: what was tried.
        alike: the options of which no value made a difference.
    """

    def __init__(self, figures: Figures, pictures: Pictures, *, quiet: bool) -> None:
        self._figures, self._pictures, self._quiet = figures, pictures, quiet
        self._checksums: dict[tuple[Any, ...], int] = {}
        self._known: dict[tuple[Any, ...], PictureFigures] = {}
        self.trials: list[SettingTrial] = []
        self.alike: set[str] = set()

    def best(self, metadata: ModelMetadata, others: Sequence[Change]) -> dict[str, Any] | None:
        """The one of ``others`` with the best figures; ``None`` where what there is does as well.

        Of those that chance may have put behind the best, finer figures decide, and of those again the order.
        """
        unchanged = self._key(metadata)
        base = self._known.setdefault(unchanged, self._figures(metadata, self._pictures))
        makes_difference: dict[str, bool] = {}
        distinct: dict[tuple[Any, ...], Change] = {}
        for change in others:
            key = self._key(changed(metadata, change))
            if len(change) == 1:
                (name,) = as_options(change)
                makes_difference[name] = makes_difference.get(name, False) or key != unchanged
            if key != unchanged:
                distinct.setdefault(key, change)
        self.alike |= {name for name, makes in makes_difference.items() if not makes}
        tried: list[tuple[Change, PictureFigures]] = []
        for key, change in track(distinct.items(), len(distinct), "trying other settings", quiet=self._quiet):
            figures = self._known.get(key)
            if figures is None:
                try:
                    figures = self._figures(changed(metadata, change), self._pictures)
                except (EdgevisionError, ValueError):  # numbers that it was not made for
                    continue
                self._known[key] = figures
                self.trials.append(SettingTrial(settings=as_options(change), figure=float(figures.values.mean())))
            tried.append((change, figures))
        tried = [(change, figures) for change, figures in tried if figures.values.mean() > base.values.mean()]
        for which in ("values", "fine"):
            tried = _near_the_best(tried, which)
        return dict(tried[0][0]) if tried else None

    def _key(self, metadata: ModelMetadata) -> tuple[Any, ...]:
        """The same for metadata that give the network the same and take its answers for the same."""
        image = metadata.image
        assert image is not None
        scale, offset = scale_and_offset(image)
        pixels: object = image.color
        if image.size is not None:
            way = (image.color, image.resize, image.resample)
            if way not in self._checksums:
                self._checksums[way] = self._checksum(image)
            pixels = self._checksums[way]
        return pixels, scale.tobytes(), offset.tobytes(), str(metadata.spec)

    def _checksum(self, image: ImageSpec) -> int:
        checksum = 0
        for index in range(len(self._pictures)):
            checksum = zlib.crc32(sample(self._pictures.image(index), image).tobytes(), checksum)
        return checksum


def _near_the_best(tried: list[tuple[Change, PictureFigures]], which: str) -> list[tuple[Change, PictureFigures]]:
    """Those whose mean is within a standard error of the best."""
    if not tried:
        return tried
    best = getattr(max(tried, key=lambda one: getattr(one[1], which).mean())[1], which)
    behind = [(one, best - getattr(one[1], which)) for one in tried]
    return [one for one, by in behind if by.mean() <= by.std() / math.sqrt(len(by))]


def _divided(data: ImageFolder, shown: int, judged: int, *, side: int | None) -> tuple[Pictures, Pictures]:
    """Pictures to choose on and others to measure on, both spread over the data, as many as memory allows."""
    first = Pictures(data, range(min(1, len(data))), side)
    for index in range(len(first)):
        width, height = first.image(index).size
        affordable = max(2 * _FEWEST, _MEMORY // (3 * width * height))
        share = min(1.0, affordable / (shown + judged))
        shown, judged = int(shown * share), int(judged * share)
    wanted = min(len(data), shown + judged)
    pictures = Pictures(data, np.linspace(0, len(data) - 1, wanted).astype(int).tolist(), side)
    # The first of every so many; where there are few, every other.
    step = max(2, -(-len(pictures) // max(1, shown)))
    return pictures.every(step, 0), pictures.but_every(step, 0)


def _is_no_chance(gain: NDArray[np.float64]) -> bool:
    """Whether more pictures gain than lose, by a sign test."""
    gains, losses = int((gain > 0).sum()), int((gain < 0).sum())
    changes = gains + losses
    tail = sum(math.comb(changes, count) for count in range(gains, changes + 1)) / 2**changes
    return float(gain.mean()) > 0 and tail < _CHANCE / 2


def _interval(gain: NDArray[np.float64]) -> tuple[float, float]:
    """Of the mean, with 95 %, by the bootstrap."""
    generator = np.random.default_rng(0)
    means = [float(generator.choice(gain, len(gain)).mean()) for _ in range(2000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
