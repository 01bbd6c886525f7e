"""How well a restoration network does on each picture."""

from dataclasses import replace
from typing import Any

import numpy as np

from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.picture_figures import PictureFigures
from edgevision.runtime.tasks.restoration.evaluation import evaluate_restorer, judged_figure
from edgevision.runtime.tasks.restoration.inpainter import Inpainter
from edgevision.runtime.tasks.restoration.restorer import Restorer


def restoration_figures(restorer: Restorer | Inpainter, data: Any, options: EvaluationOptions) -> PictureFigures:
    """The PSNR in dB of each picture, damaged and restored: that of :func:`.evaluation.judged_figure`."""
    report = evaluate_restorer(restorer, data, replace(options, quiet=True, held_out=False))
    metric = judged_figure(report.figures)
    found = {picture.name: picture.figures[metric] for picture in report.pictures}
    # What could not be restored is as bad as black.
    values = np.array([found.get(name, 0.0) for name in data.names])
    return PictureFigures(metric, "dB", values, values)
