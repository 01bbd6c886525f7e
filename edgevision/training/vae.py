"""Training a variational autoencoder: settings in, a checkpoint of encoder and decoder out."""

from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.models import AUTOENCODERS, build_model
from edgevision.runtime.tasks.autoencoding.task import RECONSTRUCT
from edgevision.runtime.tasks.generation.spec import GenerationSpec
from edgevision.training.generation import GenerativeTraining, latent_spec
from edgevision.training.sample_quality import SampleQuality
from edgevision.training.settings import VaeSettings
from edgevision.training.vae_module import VaeModule


def train_vae(settings: VaeSettings, output: Path, *, force: bool = False, quiet: bool = False) -> Path | None:
    """Train and return the path of the finished checkpoint in the folder ``output``; as :func:`train_gan`."""
    if settings.model not in AUTOENCODERS:
        raise InputError(f"a VAE's model is one of {', '.join(AUTOENCODERS)}, not {settings.model!r}")
    training = GenerativeTraining(settings, output)
    options = training.options(settings.model)
    network = build_model(settings.model, **options)
    quality = SampleQuality(training.classifier) if training.classifier is not None else None
    module = VaeModule(network, settings, training.folder.path, quality)
    figures = training.run(module, force=force, quiet=quiet)
    if figures is None:
        return None
    latent = latent_spec(network)
    shape = ("batch", training.image.color.channels, *(training.image.size or ()))
    metadata = ModelMetadata(
        task=RECONSTRUCT.name,
        name=settings.model,
        inputs=(TensorSpec(name="image", shape=shape, value_range=(-1.0, 1.0)),),
        outputs=(
            TensorSpec(name="restored_image", shape=shape, value_range=(-1.0, 1.0)),
            TensorSpec(name="code", shape=("batch", latent.size)),
        ),
        image=training.image,
        spec=GenerationSpec(latent=latent),
        quality=figures,
    )
    return training.save(module.averaged.module, options, metadata)
