"""A stylization network on its way to the file: any size, in tiles that are normalised alike."""

import numpy as np
import pytest
import torch

import edgevision
from edgevision.exporters.export import export
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.modelfiles.model_file import read_metadata
from edgevision.models import build_model
from edgevision.runtime.tasks.stylization.spec import StylizationSpec
from edgevision.training.checkpoint import save_checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    options = {"styles": 2, "width": 4, "blocks": 1}
    network = build_model("style_net", **options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    picture, statistics = ("batch", 3, "height", "width"), ("batch", 2, network.channels)
    metadata = ModelMetadata(
        task="stylize",
        name="styles",
        inputs=(
            TensorSpec(name="image", shape=picture, value_range=(0.0, 1.0)),
            TensorSpec(name="shares", shape=("batch", 2)),
            TensorSpec(name="statistics", shape=statistics),
        ),
        outputs=(
            TensorSpec(name="painted_image", shape=picture),
            TensorSpec(name="own_statistics", shape=statistics),
        ),
        image=ImageSpec(),
        spec=StylizationSpec(styles=("wave", "starry")),
        tile=TileSpec(multiple=4),
    )
    save_checkpoint(tmp_path / "styles.pt", network, metadata, model="style_net", options=options)
    return tmp_path / "styles.pt"


def test_an_exported_network_paints_any_size_and_its_tiles_have_no_seams(checkpoint, tmp_path):
    model = tmp_path / "styles.onnx"
    export(checkpoint, model)
    metadata = read_metadata(model)
    assert metadata.inputs[0].shape[2:] != (96, 96)
    assert metadata.tile.multiple == 4
    assert 0 < metadata.tile.overlap < 100
    rows, columns = np.mgrid[:152, :332]
    smooth = np.stack([rows / 152, columns / 332, 0.5 + 0.3 * np.sin(columns / 9)], axis=2)
    picture = Picture((255 * smooth).astype(np.uint8))
    with edgevision.load(model, tile=0) as whole, edgevision.load(model, tile=140) as tiled:
        assert whole.styles == ("wave", "starry")
        one, other = whole(picture, style="wave:1,starry:2"), tiled(picture, style="wave:1,starry:2")
    assert (one.pixels != picture.pixels).any()
    # The thumbnail of a picture this small is all of it.
    assert one.compare(other)["psnr"] > 48


def test_an_exported_network_is_exported_again_as_it_is_described(checkpoint, tmp_path):
    export(checkpoint, tmp_path / "styles.onnx")
    report = export(tmp_path / "styles.onnx", tmp_path / "again.onnx")
    assert report.parity.outputs[0].max_abs_error == 0
    assert read_metadata(tmp_path / "again.onnx").tile == read_metadata(tmp_path / "styles.onnx").tile
