"""Adversarial pictures: changed by next to nothing, so that a classifier's loss grows most, as its checkpoint shows.

Two attacks, in which every colour of a pixel moves by at most so many of 255 levels (L-infinity): one step along the
sign of the gradient (FGSM, Goodfellow et al. 2015, https://arxiv.org/abs/1412.6572), and ten smaller ones from a random
start (PGD, Madry et al. 2018, https://arxiv.org/abs/1706.06083). The pictures are rounded as files are, and shown to
the exported model itself.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgevision.core.errors import InputError
from edgevision.core.progress import track
from edgevision.data.datasets import ImageDataset
from edgevision.exporters.checkpoints.checkpoint import read_checkpoint
from edgevision.imaging.preprocessing import sample, scale_and_offset
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.metadata import ImageSpec, Precision
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.evaluation import expected_labels
from edgevision.runtime.tasks.classification.scores import class_scores, classification_of
from edgevision.runtime.tasks.classification.spec import Activation
from edgevision.runtime.tasks.robustness import AdversarialReport

DISTANCES = (1, 2, 4, 8)
"""Of 255 levels."""

_MOST_PICTURES = 500
_BATCH = 50
_STEPS = 10
# With whatever rounding, a model's scores are those of its own checkpoint so far, in dB; those of another network that
# learned the same are not.
_FLOOR_DB = {Precision.FP32: 30.0, Precision.FP16: 30.0, Precision.INT8: 10.0, Precision.INT8_WEIGHTS: 15.0}
# Of the distance: so a picture can cross it from any start, and come back (Madry et al. take 2.5 / steps).
_STEP = 0.25


def evaluate_adversarial(
    classifier: Classifier, checkpoint: Path, data: ImageDataset, *, seed: int, quiet: bool
) -> AdversarialReport:
    """Attack the network of ``checkpoint`` on up to 500 pictures of ``data``, and show ``classifier`` what comes out.

    Raises:
        InputError: the network gives no score for each class, takes pictures of several sizes, or is another than the
            model's.
        CheckpointError, DatasetError, ImageError: as those that read it.
    """
    spec = classifier.metadata.image
    assert spec is not None
    expected = expected_labels(classifier.labels, data)
    if spec.size is None:
        raise InputError(f"{classifier.metadata.name!r} takes pictures of any size; adversarial ones are of one size")
    read = read_checkpoint(checkpoint)
    attack = _Attack(read.network.requires_grad_(False), classifier, spec, seed)
    known = read.sha256 == classifier.metadata.provenance.checkpoint_sha256
    chosen = np.linspace(0, len(data) - 1, min(len(data), _MOST_PICTURES)).astype(int)
    right: dict[tuple[str, int], int] = {}
    starts = range(0, len(chosen), _BATCH)
    for start in track(starts, len(starts), "attacking", quiet=quiet):
        indices = chosen[start : start + _BATCH]
        pictures = np.stack([sample(data.image(index), spec) for index in indices.tolist()]).transpose(0, 3, 1, 2)
        pixels, labels = torch.from_numpy(pictures.astype(np.float32)), torch.from_numpy(expected[indices])
        if not known:
            attack.check_same(pixels, checkpoint)
            known = True
        made = {("clean", 0): pixels}
        for distance in DISTANCES:
            made["fgsm", distance] = attack.fgsm(pixels, labels, distance)
            made["pgd", distance] = attack.pgd(pixels, labels, distance)
        for kind, changed in made.items():
            right[kind] = right.get(kind, 0) + int((attack.answers(changed) == expected[indices]).sum())
    return AdversarialReport(
        images=len(chosen),
        distances=DISTANCES,
        clean=100 * right["clean", 0] / len(chosen),
        fgsm=tuple(100 * right["fgsm", distance] / len(chosen) for distance in DISTANCES),
        pgd=tuple(100 * right["pgd", distance] / len(chosen) for distance in DISTANCES),
    )


class _Attack:
    """Pictures are float32 (N, channels, height, width) in 0..255, whole numbers where they come in and go out."""

    def __init__(self, network: nn.Module, classifier: Classifier, spec: ImageSpec, seed: int) -> None:
        self._network, self._classifier = network, classifier
        self._scale, self._offset = (torch.from_numpy(one) for one in scale_and_offset(spec))
        self._spec = classification_of(classifier.metadata)
        self._generator = torch.Generator().manual_seed(seed)

    def fgsm(self, pixels: Tensor, labels: Tensor, distance: int) -> Tensor:
        """One step of the whole distance."""
        return _within(pixels + distance * self._uphill(pixels, labels), pixels, distance).round()

    def pgd(self, pixels: Tensor, labels: Tensor, distance: int) -> Tensor:
        """Steps from a random start, none of which leaves the distance."""
        noise = 2 * torch.rand(pixels.shape, generator=self._generator) - 1
        moved = _within(pixels + distance * noise, pixels, distance)
        for _ in range(_STEPS):
            moved = _within(moved + _STEP * distance * self._uphill(moved, labels), pixels, distance)
        return moved.round()

    def check_same(self, pixels: Tensor, checkpoint: Path) -> None:
        """Raise :class:`InputError` where the network is another than the model's, which its gradients say less of."""
        wanted, found = self._scores(self._tensor(pixels)).numpy(), self._outputs(pixels)
        precision = self._classifier.metadata.precision
        likeness = sqnr_db(wanted, found.reshape(wanted.shape)) if found.size == wanted.size else float("-inf")
        if likeness < _FLOOR_DB[precision]:
            raise InputError(
                f"{self._classifier.metadata.name!r} was not made from {str(checkpoint)!r}: its scores are those of"
                f" another network (SQNR {likeness:.1f} dB, at least {_FLOOR_DB[precision]:g} asked of {precision});"
                " give the checkpoint that it was exported from"
            )

    def answers(self, pixels: Tensor) -> NDArray[np.int64]:
        """The classes that the exported model says."""
        answers: NDArray[np.int64] = class_scores(self._outputs(pixels), len(pixels), self._spec).argmax(axis=1)
        return answers

    def _outputs(self, pixels: Tensor) -> NDArray[np.float32]:
        """What the exported model gives, by its first output."""
        engine = self._classifier.engine
        batch, name = engine.inputs[0].shape[0], engine.inputs[0].name
        found = []
        for part in torch.split(self._tensor(pixels), batch if isinstance(batch, int) else len(pixels)):
            whole = part.numpy()
            if isinstance(batch, int) and len(part) < batch:
                whole = np.concatenate([whole, np.repeat(whole[-1:], batch - len(part), axis=0)])
            found.append(engine.run({name: whole})[0][: len(part)])
        return np.concatenate(found)

    def _tensor(self, pixels: Tensor) -> Tensor:
        return pixels * self._scale + self._offset

    def _uphill(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Where each value has to go for the loss to grow: -1, 0 or 1."""
        pixels = pixels.detach().requires_grad_()
        scores = self._scores(self._tensor(pixels))
        activation = self._spec.activation
        if activation is Activation.SOFTMAX:
            scores = scores.clamp_min(1e-12).log()
        loss = functional.cross_entropy(scores, labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, pixels)
        return gradient.sign()

    def _scores(self, tensor: Tensor) -> Tensor:
        """What the network gives (N, classes) for what it is fed."""
        output: Any = self._network(tensor)
        scores = output.flatten(1) if isinstance(output, Tensor) else None
        classes = len(self._classifier.labels)
        if scores is None or scores.shape[1] != classes or classes < 2:
            given = "" if scores is None else f": {scores.shape[1]} values for {classes} classes"
            raise InputError(f"the checkpoint's network gives no score for each class, which an attack needs{given}")
        return scores


def _within(moved: Tensor, pixels: Tensor, distance: int) -> Tensor:
    """No farther than the distance from the picture, and still a picture."""
    return torch.maximum(torch.minimum(moved, pixels + distance), pixels - distance).clamp(0, 255)
