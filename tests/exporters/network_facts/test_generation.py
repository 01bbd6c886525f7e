"""What the metadata of a generator say has to fit its network's graph."""

import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from edgevision.core.errors import InputError
from edgevision.exporters.conversion.onnx_conversion import Conversion
from edgevision.exporters.network_facts.generation import describe_generation
from edgevision.exporters.network_facts.network import Network
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec


def drawing(*labels: str, shape: tuple[int | str, ...] = ("batch", 3, 8, 8)) -> ModelMetadata:
    """A generator of pictures of those classes, as training describes it."""
    return ModelMetadata(
        task="generate",
        name="net",
        inputs=(TensorSpec(name="latent", shape=("batch", 5)),),
        outputs=(TensorSpec(name="image", shape=shape, value_range=(-1.0, 1.0)),),
        spec=GenerationSpec(latent=LatentSpec(size=5), labels=labels),
    )


def graph(*inputs: tuple[str, list[int | str]], shape: list[int | str]) -> Conversion:
    """A conversion of a network with these inputs and an output of that shape."""
    nodes = [helper.make_node("Identity", [inputs[0][0]], ["image"])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name, sides in inputs]
    output = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    return Conversion(helper.make_model(helper.make_graph(nodes, "g", values, [output])), "dynamo", ("batch",))


def network_of_graph(conversion: Conversion) -> Network:
    def unopened() -> Engine:
        raise AssertionError("the graph alone tells")

    return Network(
        conversion=conversion,
        shape=(5,),
        examples=(torch.zeros(1, 5),),
        reference=unopened,
        module=nn.Identity(),
        described=False,
        seed=0,
    )


@pytest.mark.parametrize(
    ("classes", "labels", "message"),
    [
        (3, ("a", "b"), r"the network takes \[3\] classes, and there are 2 labels"),
        (3, (), r"the network takes \[3\] classes, and there are 0 labels"),
        (0, ("a",), "the network takes no classes, and there are 1 labels"),
    ],
)
def test_labels_and_classes_have_to_fit(classes: int, labels: tuple[str, ...], message: str) -> None:
    inputs: list[tuple[str, list[int | str]]] = [("latent", ["batch", 5])]
    if classes:
        inputs.append(("classes", ["batch", classes]))
    metadata = drawing(*labels)
    with pytest.raises(InputError, match=message):
        describe_generation(metadata, network_of_graph(graph(*inputs, shape=["batch", 5])))


def test_a_generator_that_draws_no_picture_is_refused() -> None:
    metadata = drawing(shape=("batch", 3, 8))
    conversion = graph(("latent", ["batch", 5]), shape=["batch", 3, 8])
    with pytest.raises(InputError, match=r"a generator's output is \(batch, channels, height, width\), not"):
        describe_generation(metadata, network_of_graph(conversion))
