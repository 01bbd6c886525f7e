"""Training a generative adversarial network: settings in, a checkpoint of the generator out."""

import inspect
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.models import DISCRIMINATORS, GENERATORS, build_model
from edgevision.runtime.tasks.generation.spec import GenerationSpec
from edgevision.runtime.tasks.generation.task import GENERATE
from edgevision.training.gan_module import GanModule
from edgevision.training.generation import GenerativeTraining, latent_spec
from edgevision.training.sample_quality import SampleQuality
from edgevision.training.settings import GanSettings


def train_gan(settings: GanSettings, output: Path, *, force: bool = False, quiet: bool = False) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``.

    Of several processes the first one does so, the others return ``None``. The folder of an interrupted training with
    the same settings is resumed at its last sheet of samples. The generator's averaged weights are kept.

    Raises:
        CollapseError: the loss is not finite any more, or all samples look alike.
        DatasetError, InputError, OutputError, DiskFullError: see :mod:`edgevision.core.errors`.
        KeyboardInterrupt: interrupted; what is finished is on disk.
    """
    if settings.model not in GENERATORS:
        raise InputError(f"a GAN's model is one of {', '.join(GENERATORS)}, not {settings.model!r}")
    training = GenerativeTraining(settings, output)
    labels = training.data.class_names if settings.conditional else ()
    if settings.class_weight and training.classifier is not None and training.classifier.labels != labels:
        raise InputError("--class-weight needs a classifier of the same classes as the data")
    options = training.options(settings.model, num_classes=len(labels))
    generator = build_model(settings.model, **options)
    if settings.conditional and "num_classes" not in options:
        raise InputError(f"the model {settings.model} cannot be conditional; dcgan and residual_gan can")
    discriminator = DISCRIMINATORS[settings.model]
    known = inspect.signature(discriminator).parameters
    wanted = options | {"spectral_norm": settings.spectral_norm, "dropout": settings.dropout}
    latent = latent_spec(generator)
    shape: tuple[int, ...] = (latent.size,)
    if latent.pixels is not None:
        assert training.image.size is not None
        if training.image.size[0] % latent.pixels:
            raise InputError(f"image-size must be a multiple of {latent.pixels}, not {training.image.size[0]}")
        side = training.image.size[0] // latent.pixels
        shape = (latent.size, side, side)
    module = GanModule(
        generator,
        discriminator(**{name: value for name, value in wanted.items() if name in known}),
        settings,
        training.folder.path,
        latent_shape=shape,
        num_classes=len(labels),
        classifier=training.classifier if settings.class_weight else None,
        quality=SampleQuality(training.classifier) if training.classifier is not None else None,
    )
    figures = training.run(module, force=force, quiet=quiet)
    if figures is None:
        return None
    free = ("height", "width") if latent.pixels is not None else ()
    inputs = [TensorSpec(name="latent", shape=("batch", latent.size, *free))]
    if labels:
        inputs.append(TensorSpec(name="classes", shape=("batch", len(labels)), value_range=(0.0, 1.0)))
    sides = tuple(f"{latent.pixels}*{name}" for name in free) or training.image.size or ()
    metadata = ModelMetadata(
        task=GENERATE.name,
        name=settings.model,
        inputs=tuple(inputs),
        outputs=(
            TensorSpec(name="image", shape=("batch", training.image.color.channels, *sides), value_range=(-1.0, 1.0)),
        ),
        spec=GenerationSpec(latent=latent, labels=labels),
        quality=figures,
    )
    return training.save(module.averaged.module, options, metadata)
