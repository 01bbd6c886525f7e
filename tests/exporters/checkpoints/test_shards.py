"""Weights in several files are put together by their index, and no other file is read."""

import hashlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from edgevision.core.errors import CheckpointError
from edgevision.exporters.checkpoint_names import stem
from edgevision.exporters.checkpoints import read_checkpoint

ARCH = "tiny_networks:restorer"


def write(folder: Path, weights: dict[str, Tensor], suffix: str) -> Path:
    """Two shards and their index."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(weights)
    shards = {f"model-1-of-2{suffix}": names[:4], f"model-2-of-2{suffix}": names[4:]}
    for file, part in shards.items():
        content = {name: weights[name] for name in part}
        save_file(content, folder / file) if suffix == ".safetensors" else torch.save(content, folder / file)
    index = folder / f"model{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {n: f for f, part in shards.items() for n in part}}))
    return index


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_shards_are_put_together(tiny_networks: ModuleType, tmp_path: Path, suffix: str) -> None:
    weights = tiny_networks.restorer().state_dict()
    index = write(tmp_path, weights, suffix)
    read = read_checkpoint(index, arch=ARCH)
    assert all(torch.equal(read.network.state_dict()[name], value) for name, value in weights.items())
    files = [index, *sorted(tmp_path.glob(f"*-of-2{suffix}"))]
    assert read.sha256 == hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_the_cache_of_the_hub_is_read_whose_files_are_links(tiny_networks: ModuleType, tmp_path: Path) -> None:
    index = write(tmp_path / "blobs", tiny_networks.restorer().state_dict(), ".safetensors")
    snapshot = tmp_path / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    for file in index.parent.iterdir():
        (snapshot / file.name).symlink_to(file)
    assert read_checkpoint(snapshot / index.name, arch=ARCH).notes == ()


@pytest.mark.parametrize(
    "place", ["../model-1-of-2.bin", "{folder}/model-1-of-2.bin", "..\\model-1-of-2.bin", "link.bin"]
)
def test_shards_outside_of_the_folder_are_refused(tiny_networks: ModuleType, tmp_path: Path, place: str) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "here"
    index = write(folder, tiny_networks.restorer().state_dict(), ".bin")
    elsewhere.mkdir()
    (folder / "model-1-of-2.bin").rename(elsewhere / "model-1-of-2.bin")
    (folder / "link.bin").symlink_to(elsewhere / "model-1-of-2.bin")
    document = index.read_text().replace("model-1-of-2.bin", json.dumps(place.format(folder=elsewhere))[1:-1])
    index.write_text(document)
    with pytest.raises(CheckpointError, match="cannot be a file of its folder"):
        read_checkpoint(index, arch=ARCH)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"{", "no index of weights"),
        (b"\xff\xfe", "no index of weights"),
        (b"[" * 100_000, "no index of weights"),
        ([], "no 'weight_map'"),
        ({"weight_map": {}}, "no 'weight_map'"),
        ({"weight_map": {"a": 3}}, "no 'weight_map'"),
        ({"weight_map": {"a": "gone.bin"}}, "'gone.bin', which is not beside it"),
        ({"weight_map": {"a": ""}}, "which is not beside it"),
        ({"weight_map": {"a": "\0"}}, "cannot be a file"),
        ({"weight_map": {"a": "n" * 5000}}, "cannot be a file"),
        ({"weight_map": {"not there": "model-1-of-2.bin"}}, "lacks 1 weights that its index names"),
    ],
)
def test_a_damaged_index_is_refused(tiny_networks: ModuleType, tmp_path: Path, document: Any, words: str) -> None:
    index = write(tmp_path, tiny_networks.restorer().state_dict(), ".bin")
    index.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(index, arch=ARCH)


def test_a_missing_index_is_a_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        read_checkpoint(tmp_path / "model.safetensors.index.json", arch=ARCH)


def test_a_folder_with_an_index_says_which_file_to_give(tmp_path: Path, tiny_networks: ModuleType) -> None:
    write(tmp_path, tiny_networks.restorer().state_dict(), ".bin")
    with pytest.raises(CheckpointError, match=r"is a folder; give the file in it, 'model\.bin\.index\.json'"):
        read_checkpoint(tmp_path, arch=ARCH)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("model.safetensors.index.json", "model"),
        ("net.bin.INDEX.json", "net"),
        ("a.b.pt", "a.b"),
        ("net.pth.tar", "net.pth"),
    ],
)
def test_models_are_named_after_checkpoints_without_what_these_end_in(file: str, name: str) -> None:
    assert stem(Path("x") / file) == name
