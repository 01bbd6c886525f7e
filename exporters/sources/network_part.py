"""Which part of a network is exported."""

from dataclasses import replace
from enum import StrEnum

from edgevision.core.errors import InputError
from edgevision.exporters.checkpoints import Checkpoint
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec, TileSpec
from edgevision.models import (
    CifarResNet,
    CifarResNetFeatures,
    ConvVae,
    HyperpriorCodec,
    SequenceNetwork,
    StreamedSequence,
)
from edgevision.runtime.tasks.autoencoding.task import ENCODE
from edgevision.runtime.tasks.compression.task import DECOMPRESS
from edgevision.runtime.tasks.generation.spec import GenerationSpec
from edgevision.runtime.tasks.generation.task import GENERATE
from edgevision.runtime.tasks.sequences.spec import SequenceSpec, StateSpec

# As large as the tiles in which a codec's pictures are compressed, and farther than a latent reaches.
_LATENT_TILE, _LATENT_OVERLAP = 64, 6


class NetworkPart(StrEnum):
    """What of a network a model file holds."""

    BOTH = "both"
    """All of it; an autoencoder goes from picture to reconstruction and code: ``edgevision run reconstruct``."""
    ENCODER = "encoder"
    """From picture to code: ``edgevision run encode``, of a codec ``run compress``."""
    DECODER = "decoder"
    """From a code to a picture: ``edgevision run generate``, of a codec ``run decompress``."""
    FEATURES = "features"
    """A classifier that shows what its last layer is given: the judge of ``edgevision evaluate GENERATOR``."""
    STREAM = "stream"
    """A sequence network for one frame at a time: a frame and the state in, the answer and the next state out."""


def take_part(checkpoint: Checkpoint, part: NetworkPart) -> Checkpoint:
    """The part of one of the project's own networks as a checkpoint by itself; :class:`InputError` where it has none.

    Encoder and decoder are those of an autoencoder or a codec, features those of a residual classifier, streams
    those of a network over frames.
    """
    network, metadata = checkpoint.network, checkpoint.metadata
    if isinstance(network, HyperpriorCodec) and metadata is not None:
        return _codec_half(checkpoint, network, metadata, part)
    if part is NetworkPart.BOTH:
        return checkpoint
    if part is NetworkPart.STREAM:
        if not isinstance(network, SequenceNetwork) or metadata is None:
            raise InputError("--part stream is for a network of edgevision train sequence")
        return _streamed(checkpoint, network, metadata)
    if part is NetworkPart.FEATURES:
        if not isinstance(network, CifarResNet) or metadata is None:
            raise InputError("--part features is for a residual classifier (resnet20 ...) of edgevision train classify")
        features = TensorSpec(name="features", shape=("batch", network.linear.in_features))
        described = metadata.updated(outputs=(*metadata.outputs, features))
        return replace(checkpoint, network=CifarResNetFeatures(network).eval(), metadata=described)
    latent_spec = metadata.spec_as(GenerationSpec).latent if metadata and isinstance(network, ConvVae) else None
    if not isinstance(network, ConvVae) or metadata is None or latent_spec is None:
        raise InputError(f"--part {part} is for a variational autoencoder made by edgevision train vae")
    name = f"{metadata.name}-{part}"
    if part is NetworkPart.ENCODER:
        code = next(spec for spec in metadata.outputs if spec.name == "code")
        return replace(
            checkpoint,
            network=network.encoder,
            metadata=metadata.updated(task=ENCODE.name, name=name, outputs=(code,), spec=None),
        )
    latent = TensorSpec(name="latent", shape=("batch", latent_spec.size))
    picture = metadata.outputs[0].updated(name="image")
    described = metadata.updated(task=GENERATE.name, name=name, inputs=(latent,), outputs=(picture,), image=None)
    return replace(checkpoint, network=network.decoder, metadata=described)


def _codec_half(
    checkpoint: Checkpoint, codec: HyperpriorCodec, metadata: ModelMetadata, part: NetworkPart
) -> Checkpoint:
    """Of one codec the pictures' side compresses, the other decompresses: no device needs both in one graph."""
    name = f"{metadata.name}-{part}"
    if part is NetworkPart.ENCODER:
        described = metadata.updated(name=name)
        return replace(checkpoint, network=codec.compressing_half().eval(), metadata=described)
    if part is not NetworkPart.DECODER:
        raise InputError(
            f"a codec is exported in halves, not as {part}: --part encoder for edgevision run compress, --part decoder"
            " for run decompress"
        )
    latents = TensorSpec(name="latents", shape=("batch", codec.latents, "height", "width"))
    picture = TensorSpec(name="restored_image", shape=("batch", 3, "16*height", "16*width"))
    tile = TileSpec(size=_LATENT_TILE, overlap=_LATENT_OVERLAP)
    described = metadata.updated(
        task=DECOMPRESS.name, name=name, inputs=(latents,), outputs=(picture,), image=None, tile=tile
    )
    return replace(checkpoint, network=codec.decompressing_half().eval(), metadata=described)


def _streamed(checkpoint: Checkpoint, network: SequenceNetwork, metadata: ModelMetadata) -> Checkpoint:
    """With a frame and the state as inputs, the answer and the next state as outputs, each with the batch first."""
    frames, logits = metadata.inputs[0], metadata.outputs[0]
    shapes = {name: state.shape for name, state in network.states.items()}
    states = tuple(
        StateSpec(input=name, output=f"next_{name}", delay=state.delay) for name, state in network.states.items()
    )
    described = metadata.updated(
        name=f"{metadata.name}-stream",
        inputs=(
            TensorSpec(name="frame", shape=("batch", *frames.shape[2:])),
            *(TensorSpec(name=name, shape=("batch", *shape)) for name, shape in shapes.items()),
        ),
        outputs=(
            logits.updated(shape=("batch", *logits.shape[2:])),
            *(TensorSpec(name=f"next_{name}", shape=("batch", *shape)) for name, shape in shapes.items()),
        ),
        spec=metadata.spec_as(SequenceSpec).updated(states=states),
    )
    return replace(checkpoint, network=StreamedSequence(network).eval(), metadata=described)


def exported_part(checkpoint: Checkpoint, model: ModelMetadata) -> NetworkPart:
    """Which part of ``checkpoint`` a model of that metadata was made of."""
    if isinstance(checkpoint.network, SequenceNetwork):
        return NetworkPart.STREAM if model.spec_as(SequenceSpec).states else NetworkPart.BOTH
    if isinstance(checkpoint.network, HyperpriorCodec):
        return NetworkPart.DECODER if model.task == DECOMPRESS.name else NetworkPart.ENCODER
    if isinstance(checkpoint.network, ConvVae):
        return {ENCODE.name: NetworkPart.ENCODER, GENERATE.name: NetworkPart.DECODER}.get(model.task, NetworkPart.BOTH)
    shows_features = isinstance(checkpoint.network, CifarResNet) and len(model.outputs) > 1
    return NetworkPart.FEATURES if shows_features else NetworkPart.BOTH
