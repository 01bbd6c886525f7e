"""A translation network on its way to the file: any size, in tiles without seams."""

import numpy as np
import torch

import edgevision
from edgevision.exporters.export import export
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.model_file import read_metadata
from edgevision.models import TranslationUNet
from edgevision.runtime.tasks.translation.spec import TranslationSpec
from edgevision.training.checkpoint import save_checkpoint
from edgevision.training.settings import TranslationSettings
from edgevision.training.translate import translation_metadata


def test_an_exported_network_draws_any_size_and_its_tiles_have_no_seams(tmp_path):
    torch.manual_seed(0)
    options = {"widths": (8, 8), "blocks": (1, 1), "tail": 4}
    network = TranslationUNet(**options).eval()
    settings = TranslationSettings(data=("pairs",), given="edges", made="photograph", groups="^(.+)_")
    metadata = translation_metadata(settings, network, {"psnr": 12.3456789}, 0.1)
    save_checkpoint(tmp_path / "net.pt", network, metadata, model="translation_unet", options=options)
    export(tmp_path / "net.pt", tmp_path / "net.onnx")
    metadata = read_metadata(tmp_path / "net.onnx")
    assert metadata.spec == TranslationSpec(given="edges", made="photograph", groups="^(.+)_")
    assert (metadata.quality, metadata.tile.multiple) == ({"val_psnr": 12.3457}, 4)
    assert 0 < metadata.tile.overlap < 64
    drawn = np.random.default_rng(0).integers(0, 2, (150, 333, 1), dtype=np.uint8) * np.uint8(255)
    with (
        edgevision.load(tmp_path / "net.onnx", tile=0) as whole,
        edgevision.load(tmp_path / "net.onnx", tile=140) as tiled,
    ):
        one, other = whole(Picture(drawn)), tiled(Picture(drawn))
    assert one.pixels.shape == (150, 333, 3)
    assert np.ptp(one.pixels) > 3
    assert one.compare(other)["psnr"] > 48
