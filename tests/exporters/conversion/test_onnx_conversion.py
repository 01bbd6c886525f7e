"""Networks become ONNX models that compute the same, dynamic where the network is, with no trace of the machine."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import edgevision.exporters.conversion.onnx_conversion as onnx_conversion
from edgevision.core.errors import InputError
from edgevision.exporters.conversion.agreement import Case
from edgevision.exporters.conversion.onnx_conversion import (
    Conversion,
    ConversionError,
    convert_to_onnx,
)
from edgevision.exporters.conversion.torch_exporters import ExportRequest
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.models import VisionTransformer
from edgevision.models.mobile_vit import _MobileVitBlock
from edgevision.runtime.devices.opening import open_engine

Sqnr = Callable[[object, object], float]

IMAGE = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def convolutional() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.PReLU(), nn.Conv2d(8, 3, 3, padding=1)
    ).eval()


class Loop(nn.Module):
    """Reads its batch as a number of Python, which no exporter can make dynamic."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([images[i] * (i + 1) for i in range(images.shape[0])])


class OnlyOne(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.view(1, 3, 8, 8) * 2


class ByBatch(nn.Module):
    """Computes something else for one picture than for several."""

    def forward(self, images: Tensor) -> Tensor:
        return images * 2 if images.shape[0] > 1 else images * 3


class Branch(nn.Module):
    """Branches on its input, which only tracing swallows."""

    def forward(self, images: Tensor) -> Tensor:
        return images * 2 if float(images.sum()) > 0 else images * 3


class Fill(nn.Module):
    """Takes an image and a mask."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return image * (1 - mask) + mask * self.layer(torch.cat((image, mask), dim=1))


class Eigenvalues(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.linalg.eigvals(images[:, 0]).real


def convert(network: nn.Module, example: Tensor = IMAGE, **options: Any) -> Conversion:
    return convert_to_onnx(network, (example,), input_names=["image"], output_names=["restored"], **options)


@pytest.fixture(scope="session")
def convolution() -> Conversion:
    return convert(convolutional())


@pytest.fixture(scope="session")
def traced_convolution(trace: Callable) -> Conversion:
    return convert(trace(convolutional(), IMAGE))


@pytest.fixture
def run(tmp_path: Path) -> Callable[[onnx.ModelProto, Tensor], object]:
    def compute(model: onnx.ModelProto, images: Tensor) -> object:
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        with open_engine(path) as engine:
            return engine.run({engine.inputs[0].name: images.numpy()})[0]

    return compute


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (3, 3, 8, 8), (2, 3, 17, 5), (1, 3, 64, 33)])
def test_a_fully_convolutional_network_runs_at_any_batch_and_size(
    convolution: Conversion, run: Callable, sqnr: Sqnr, shape: tuple[int, ...]
) -> None:
    images = torch.rand(shape)
    with torch.inference_mode():
        assert sqnr(convolutional()(images), run(convolution.model, images)) > 100


def test_what_is_open_stands_in_the_model(convolution: Conversion) -> None:
    assert convolution.exporter == "dynamo"
    assert convolution.dynamic == ("batch", "height", "width")
    assert convolution.notes == ()
    (image,), (restored,) = convolution.inputs, convolution.outputs
    assert (image.name, image.shape, image.dtype) == ("image", ("batch", 3, "height", "width"), "float32")
    assert (restored.name, restored.shape, restored.dtype) == ("restored", ("batch", 3, "height", "width"), "float32")


def test_a_dense_head_leaves_only_the_batch_dynamic(
    classifier_conversion: Conversion, classifier: nn.Module, run: Callable, sqnr: Sqnr
) -> None:
    assert classifier_conversion.dynamic == ("batch",)
    assert classifier_conversion.inputs[0].shape == ("batch", 3, 8, 8)
    assert classifier_conversion.outputs[0].shape == ("batch", 4)
    images = torch.rand(5, 3, 8, 8)
    with torch.inference_mode():
        assert sqnr(classifier(images), run(classifier_conversion.model, images)) > 100


def test_sides_of_a_multiple_stay_dynamic(run: Callable, sqnr: Sqnr) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, 48, 1), nn.PixelShuffle(4)).eval()
    conversion = convert(network, multiple=4)
    assert conversion.dynamic == ("batch", "height", "width")
    images = torch.rand(2, 3, 12, 20)
    with torch.inference_mode():
        assert sqnr(network(images), run(conversion.model, images)) > 100


def test_a_batch_that_cannot_be_dynamic_is_fixed_to_the_examples_and_the_sides_stay_dynamic(
    run: Callable, sqnr: Sqnr
) -> None:
    conversion = convert(Loop())
    assert conversion.dynamic == ("height", "width")
    assert conversion.inputs[0].shape == (1, 3, "height", "width")
    assert conversion.notes == ("batch fixed to 1: the network does not take another",)
    images = torch.rand(1, 3, 9, 11)
    assert sqnr(Loop()(images), run(conversion.model, images)) > 100


def test_a_network_for_one_sample_alone_is_converted_for_one(run: Callable, sqnr: Sqnr) -> None:
    conversion = convert(OnlyOne())
    assert conversion.dynamic == ()
    assert conversion.inputs[0].shape == (1, 3, 8, 8)
    assert conversion.notes == ("batch fixed to 1: the network does not take another",)
    assert sqnr(OnlyOne()(IMAGE), run(conversion.model, IMAGE)) > 100


def test_a_branch_on_the_batch_is_fixed_to_the_examples(run: Callable, sqnr: Sqnr) -> None:
    found = convert_to_onnx(ByBatch(), (IMAGE,), input_names=["image"], output_names=["out"])
    assert found.dynamic == ("height", "width")
    assert any("batch fixed to 1" in note for note in found.notes)
    assert sqnr(3 * IMAGE, run(found.model, IMAGE)) > 100


def test_a_program_exported_for_one_sample_is_converted_for_one(run: Callable, sqnr: Sqnr) -> None:
    program = torch.export.export(convolutional(), (IMAGE,)).module()
    conversion = convert(program)
    assert conversion.inputs[0].shape == (1, 3, 8, 8)
    with torch.inference_mode():
        assert sqnr(convolutional()(IMAGE), run(conversion.model, IMAGE)) > 100


def test_torchscript_is_converted_by_tracing_which_is_said(
    traced_convolution: Conversion, run: Callable, sqnr: Sqnr
) -> None:
    conversion = traced_convolution
    assert conversion.exporter == "torchscript"
    assert conversion.dynamic == ("batch", "height", "width")
    (note,) = conversion.notes
    assert note.startswith("converted by TorchScript tracing, because the dynamo exporter failed: Exporting a Script")
    images = torch.rand(2, 3, 13, 10)
    with torch.inference_mode():
        assert sqnr(convolutional()(images), run(conversion.model, images)) > 100


def test_a_network_that_only_tracing_takes_is_traced_quietly(
    run: Callable, sqnr: Sqnr, capfd: pytest.CaptureFixture[str]
) -> None:
    conversion = convert(Branch())
    assert conversion.exporter == "torchscript"
    assert "Could not guard on data-dependent expression" in conversion.notes[0]
    assert sqnr(Branch()(IMAGE), run(conversion.model, IMAGE)) > 100
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("traced", [False, True])
def test_both_inputs_of_a_network_are_open_and_count(trace: Callable, tmp_path: Path, sqnr: Sqnr, traced: bool) -> None:
    network, examples = Fill().eval(), (IMAGE, (IMAGE[:, :1] > 0.5).float())
    conversion = convert_to_onnx(
        trace(network, examples) if traced else network,
        examples,
        input_names=["image", "mask"],
        output_names=["restored"],
    )
    assert conversion.exporter == ("torchscript" if traced else "dynamo")
    assert conversion.dynamic == ("batch", "height", "width")
    assert [(spec.name, spec.shape) for spec in conversion.inputs] == [
        ("image", ("batch", 3, "height", "width")),
        ("mask", ("batch", 1, "height", "width")),
    ]
    (tmp_path / "fill.onnx").write_bytes(conversion.model.SerializeToString())
    image, mask = torch.rand(3, 3, 17, 10), (torch.rand(3, 1, 17, 10) > 0.5).float()
    with open_engine(tmp_path / "fill.onnx") as engine, torch.inference_mode():
        for feeds in ((image, mask), (1 - image, mask), (image, 1 - mask)):
            names = {"image": feeds[0].numpy(), "mask": feeds[1].numpy()}
            assert sqnr(network(*feeds), engine.run(names)[0]) > 100


def test_inputs_the_network_does_not_take_are_all_named() -> None:
    with pytest.raises(InputError, match=r"does not take an input of \(1, 3, 8, 8\) and \(1, 2, 8, 8\)"):
        convert_to_onnx(
            Fill(), (IMAGE, torch.rand(1, 2, 8, 8)), input_names=["image", "mask"], output_names=["restored"]
        )


def test_the_exporters_are_asked_in_turn(monkeypatch: pytest.MonkeyPatch, convolution: Conversion) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    def refuse(request: ExportRequest) -> onnx.ModelProto:
        asked.append(("dynamo", request.dynamic))
        raise RuntimeError("not today\nand a long explanation")

    def accept(request: ExportRequest) -> onnx.ModelProto:
        asked.append(("torchscript", request.dynamic))
        return convolution.model

    monkeypatch.setattr(onnx_conversion, "with_dynamo", refuse)
    monkeypatch.setattr(onnx_conversion, "with_torchscript", accept)
    conversion = convert(convolutional())
    everything = ("batch", "height", "width")
    assert asked == [
        ("dynamo", everything),
        ("dynamo", ("batch",)),
        ("dynamo", ("height", "width")),
        ("dynamo", ()),
        ("torchscript", everything),
    ]
    assert conversion.notes == ("converted by TorchScript tracing, because the dynamo exporter failed: not today",)


def test_what_neither_exporter_can_convert_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        ConversionError, match=r"cannot convert this network to ONNX: No ONNX function found for.*eig"
    ) as e:
        convert(Eigenvalues())
    assert len(str(e.value).splitlines()) == 1
    assert e.value.exit_code == 1
    assert capfd.readouterr().out == ""  # torch prints graphs there when it fails


def test_an_input_the_network_does_not_take_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"does not take an input of \(1, 4, 8, 8\): .*expected input"):
        convert(convolutional(), torch.rand(1, 4, 8, 8))


@pytest.mark.parametrize("traced", [False, True])
def test_nothing_of_this_machine_is_left_in_the_file(
    convolution: Conversion, traced_convolution: Conversion, traced: bool
) -> None:
    model = (traced_convolution if traced else convolution).model
    content = model.SerializeToString()
    for trace_of_it in (b"site-packages", b".py", b"/root", b"/home", b"pytest", b'File "', str(Path.cwd()).encode()):
        assert trace_of_it not in content, trace_of_it
    assert model.producer_name == "edgevision"


def test_nothing_but_inference_is_left_in_the_graph(convolution: Conversion) -> None:
    kinds = [node.op_type for node in convolution.model.graph.node]
    assert "Dropout" not in kinds
    assert kinds.count("Conv") == 2
    assert len(convolution.model.graph.input) == 1
    onnx.checker.check_model(convolution.model, full_check=True)


def test_metadata_replaces_only_its_own_key() -> None:
    model = onnx.ModelProto()
    add_metadata(model, "other", "kept")
    add_metadata(model, "edgevision", "old")
    add_metadata(model, "edgevision", "new")
    found: Mapping[str, str] = {entry.key: entry.value for entry in model.metadata_props}
    assert found == {"other": "kept", "edgevision": "new"}
    assert len(model.metadata_props) == 2


# --- what is promised holds ---


class Branching(nn.Module):
    """Two ways through a network, and what chooses between them."""

    def __init__(self, second: Callable[[Tensor], object]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 5, padding=2)
        self.second = second

    def forward(self, image: Tensor) -> Tensor:
        return self.two(image) if self.second(image) else self.one(image)


class Halved(nn.Module):
    """Reads half of its height as a number."""

    def forward(self, image: Tensor) -> Tensor:
        small = F.interpolate(image, size=(int(image.shape[2] * 0.5), int(image.shape[3] * 0.5)), mode="bilinear")
        return F.interpolate(small, size=image.shape[2:], mode="bilinear")


class Padding(nn.Module):
    """Pads what is no multiple of 4, and only that."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(48, 48, 1)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        if height % 4 or width % 4:
            image = F.pad(image, (0, -width % 4, 0, -height % 4))
        return F.pixel_shuffle(self.layer(F.pixel_unshuffle(image, 4)), 4)[..., :height, :width]


class Spectral(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(image) * 0.5, s=image.shape[2:])


PICTURE = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "network",
    [
        Branching(lambda image: image.shape[2] < 20),
        Branching(lambda image: image.shape[2] > 1000),
        Branching(lambda image: image.shape[2] * image.shape[3] > 500_000),
        Branching(lambda image: image.shape[2] > image.shape[3]),
        Halved(),
        Spectral(),
    ],
)
def test_sides_that_only_seem_free_are_fixed_which_is_said(network: nn.Module, run: Callable, sqnr: Sqnr) -> None:
    conversion = convert(network.eval(), PICTURE, keeps_size=True)
    assert conversion.dynamic == ("batch",)
    assert conversion.inputs[0].shape == ("batch", 3, 32, 32)
    (note,) = conversion.notes
    assert note.startswith("height and width fixed, pictures are 32x32: ")
    images = torch.rand(3, 3, 32, 32)
    with torch.inference_mode():
        assert sqnr(network(images), run(conversion.model, images)) > 60


def test_a_network_that_pads_when_it_has_to_keeps_its_multiples(run: Callable, sqnr: Sqnr) -> None:
    conversion = convert(Padding().eval(), PICTURE, keeps_size=True)
    assert conversion.dynamic == ("batch", "height", "width")
    assert conversion.picture_sizes is not None
    assert (conversion.picture_sizes.multiple, conversion.picture_sizes.minimum) == (4, 4)
    assert conversion.notes == ("sides in multiples of 4: for others the network goes another way",)
    images = torch.rand(1, 3, 12, 40)
    with torch.inference_mode():
        assert sqnr(Padding()(images), run(conversion.model, images)) > 100


def test_an_output_smaller_than_its_picture_does_not_count_as_taken() -> None:
    network = nn.Sequential(nn.AvgPool2d(4), nn.Upsample(scale_factor=4))
    any_size, kept = (convert(network, PICTURE, keeps_size=keeps_size).picture_sizes for keeps_size in (False, True))
    assert any_size is not None
    assert kept is not None
    assert (any_size.multiple, any_size.minimum) == (1, 4)
    assert (kept.multiple, kept.minimum) == (4, 4)


@pytest.mark.parametrize(
    "second",
    [lambda image: image.mean() > 0.6, lambda image: float(image.std()) < 0.01, lambda image: not image.any().item()],
)
def test_a_branch_on_values_is_refused_by_its_line(second: Callable[[Tensor], object]) -> None:
    values = [Case(f"a picture of {level}", (torch.full_like(PICTURE, level),)) for level in (0, 1)]
    with pytest.raises(ConversionError, match="decides by the values of its input, and a graph has one way only") as e:
        convert(Branching(second).eval(), PICTURE, values=values)
    assert f"{Path(__file__).name} line " in str(e.value)
    assert str(Path(__file__).parent) not in str(e.value)


def test_what_only_rounding_decides_is_no_branch() -> None:
    network = nn.Sequential(*(layer for _ in range(4) for layer in (nn.Conv2d(3, 3, 1), nn.InstanceNorm2d(3)))).eval()
    values = [Case(f"a picture of {level}", (torch.full_like(PICTURE, level),)) for level in (0, 0.3, 1)]
    assert convert(network, PICTURE, values=values).exporter == "dynamo"


def test_a_vision_transformer_becomes_its_own_operators(sqnr: Sqnr, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = VisionTransformer(width=16, layers=1, heads=2, image_size=8).eval()
    found = convert(network)
    assert found.dynamic == ("batch",)
    operators = Counter(node.op_type for node in found.model.graph.node)
    once = ("Gelu", "Softmax", "Split", "Conv", "Gemm", "ReduceMean")
    assert {name: operators[name] for name in once} == dict.fromkeys(once, 1)
    assert operators["LayerNormalization"] == 3
    assert operators["MatMul"] == 6
    assert not operators.keys() & {"Erf", "Pow", "Sqrt", "Shape", "Gather", "Expand", "Identity", "Slice"}
    assert_same_in_both_engines(found, network, torch.rand(5, 3, 8, 8), tmp_path, sqnr)


def test_a_hybrid_unfolds_and_folds_pictures_of_any_whole_patches(sqnr: Sqnr, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = _MobileVitBlock(3, 8, 1, 2).eval()
    found = convert(network)
    assert found.dynamic == ("batch", "height", "width")
    assert found.picture_sizes is not None
    assert found.picture_sizes.multiple == 2
    assert_same_in_both_engines(found, network, torch.rand(3, 3, 6, 10), tmp_path, sqnr)


def assert_same_in_both_engines(
    found: Conversion, network: nn.Module, images: Tensor, folder: Path, sqnr: Sqnr
) -> None:
    onnx.save(found.model, folder / "network.onnx")
    with torch.inference_mode():
        expected = network(images)
    for device in ("ort:cpu", "openvino:cpu"):
        with open_engine(folder / "network.onnx", device) as engine:
            assert sqnr(expected, engine.run({"image": images.numpy()})[0]) > 90
