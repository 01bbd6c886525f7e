"""What training a GAN and a VAE have in common: pictures in, a checkpoint that carries its metadata out."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
from torch import nn

from edgevision.data.datasets import ImageDataset
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.models import TEXTURES, model_options
from edgevision.runtime.tasks.generation.spec import LatentSpec
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.classifier_features import ClassifierFeatures
from edgevision.training.data import CropImages, EpochBatches, TensorImages, loader
from edgevision.training.data_source import image_spec, open_data
from edgevision.training.generative_module import GenerativeModule, Sheets
from edgevision.training.launched import is_launched_helper
from edgevision.training.network_options import network_options
from edgevision.training.provenance import training_provenance
from edgevision.training.run_folder import RunFolder
from edgevision.training.settings import GenerativeSettings
from edgevision.training.splits import read_splits
from edgevision.training.trainer import build_trainer, fit, lightning_precision, quiet_lightning

# As many as compare well, and cost little of the steps' time.
_MOST_VALIDATED = 2000
_LARGEST = 64

# Out of each picture of a texture: more than any training sees twice.
_CROPS = 20_000

Pictures = TensorImages | CropImages


class GenerativeTraining:
    """One training: ``data``, the ``image`` that its pictures become (in -1..1), the ``folder`` and the ``classifier``.

    Raises:
        DatasetError, CheckpointError, InputError: something the settings name cannot be used.
    """

    def __init__(self, settings: GenerativeSettings, output: Path) -> None:
        self.settings = settings
        self.folder = RunFolder(output, settings.model)
        self.data: ImageDataset = open_data(settings)
        image = image_spec(self.data, size=settings.image_size, color=settings.color, largest=_LARGEST)
        self.image: ImageSpec = image.updated(value_range=(-1.0, 1.0))
        self.classifier = ClassifierFeatures.read(settings.classifier) if settings.classifier is not None else None
        lightning_precision(settings.precision)
        lightning.seed_everything(settings.seed, workers=True, verbose=False)

    def options(self, model: str, **more: Any) -> dict[str, Any]:
        """The user's, and those of ``image_size``, ``channels`` and ``more`` that the network ``model`` takes."""
        assert self.image.size is not None
        known = {"image_size": self.image.size[0], "channels": self.image.color.channels} | more
        decided = {name: value for name, value in known.items() if name in model_options(model)}
        return network_options(decided, self.settings.model_options)

    def run(self, module: GenerativeModule, *, force: bool, quiet: bool) -> Mapping[str, float] | None:
        """Train to the end and leave the best averaged weights in ``module``, on the CPU; the figures they had.

        The best have the least Fréchet distance or, without a classifier, are the last. Of several processes the first
        one gets the figures, the others ``None``.
        """
        # Only now, with every option known to be good, and before the pictures are read, which takes its time.
        if not is_launched_helper():
            self.folder.prepare(self.settings.to_dict(), force=force)
        if not self._fit(module, *self._read(quiet=quiet), quiet=quiet):
            return None
        figures = self.folder.take_best(module, None if self.classifier is None else "classifier_frechet")
        module.cpu().eval()
        return {f"val_{n}": round(float(v), 4) for n, v in figures.items() if math.isfinite(v)}

    def save(self, network: nn.Module, options: Mapping[str, Any], metadata: ModelMetadata) -> Path:
        """Write the finished checkpoint, with where it comes from; its path."""
        provenance = training_provenance(self.settings, self.settings.data, self.folder.seconds_trained() / 3600)
        metadata = metadata.updated(name=self.settings.model, licence=self.settings.licence, provenance=provenance)
        save_checkpoint(self.folder.result, network, metadata, model=self.settings.model, options=options)
        return self.folder.result

    def _read(self, *, quiet: bool) -> tuple[Pictures, Pictures]:
        seed = self.settings.seed
        if self.settings.model in TEXTURES:
            train = CropImages(self.data, self.image, crops=_CROPS, seed=seed)
            return train, train.other_crops(_MOST_VALIDATED // len(self.data) + 1, seed + 1)
        return read_splits(
            self.data,
            self.settings.data,
            self.image,
            val_fraction=min(0.1, _MOST_VALIDATED / max(1, len(self.data))),
            seed=seed,
            quiet=quiet,
            # One picture has no spread to be compared with.
            least_val=1 if self.classifier is None else 2,
            tensors=TensorImages,
        )

    def _fit(self, module: GenerativeModule, train: Pictures, val: Pictures, *, quiet: bool) -> bool:
        settings = self.settings
        with quiet_lightning():
            trainer = build_trainer(
                settings,
                self.folder,
                epochs=settings.steps // settings.sample_every,
                monitor="step" if self.classifier is None else "val_classifier_frechet",
                mode="max" if self.classifier is None else "min",
                alternating=not module.automatic_optimization,
                quiet=quiet,
            )
            trainer.callbacks.append(Sheets())  # type: ignore[attr-defined]
            rank, processes, size = trainer.global_rank, trainer.world_size, settings.batch_size
            shuffled = EpochBatches(
                len(train),
                size,
                seed=settings.seed,
                shuffle=True,
                batches=settings.sample_every,
                rank=rank,
                processes=processes,
            )
            in_order = EpochBatches(len(val), size, seed=0, shuffle=False, rank=rank, processes=processes)
            return fit(
                trainer,
                module,
                loader(train, shuffled, workers=settings.workers),
                loader(val, in_order, workers=settings.workers),
                self.folder,
                quiet=quiet,
            )


def latent_spec(network: Any) -> LatentSpec:
    """What the latent of one of the project's generators is drawn from."""
    return LatentSpec(size=network.latent_shape[0], pixels=getattr(network, "scale", None))
