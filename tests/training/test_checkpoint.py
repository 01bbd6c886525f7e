"""The checkpoint: tensors and metadata that a safe load reads."""

import json
from pathlib import Path

import pytest
import torch

from edgevision.core.errors import CheckpointError, OutputError
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.models import build_model
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.training.checkpoint import load_trained, save_checkpoint

METADATA = ModelMetadata(
    task="classify", name="cnn3", spec=ClassificationSpec(labels=("cat", "dög")), image=ImageSpec(size=(8, 8))
)
OPTIONS = {"num_classes": 2, "image_size": 8}


def test_a_safe_load_reads_it_and_the_model_is_rebuilt_from_it_alone(tmp_path: Path) -> None:
    network = build_model("cnn3", **OPTIONS).to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "cnn3.pt", network, METADATA, model="cnn3", options=OPTIONS)
    loaded = torch.load(tmp_path / "cnn3.pt", weights_only=True)
    assert set(loaded) == {"edgevision", "model", "options", "state_dict"}
    assert ModelMetadata.from_json(loaded["edgevision"]) == METADATA
    again = build_model(loaded["model"], **json.loads(loaded["options"]))
    again.load_state_dict(loaded["state_dict"], strict=True)
    assert all(tensor.is_contiguous() for tensor in loaded["state_dict"].values())
    images = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(again.eval()(images), network.eval()(images), rtol=1e-5, atol=1e-6)
    assert list(tmp_path.iterdir()) == [tmp_path / "cnn3.pt"]


def test_an_earlier_checkpoint_is_replaced(tmp_path: Path) -> None:
    for labels in (("a", "b"), ("c", "d")):
        metadata = METADATA.updated(spec=ClassificationSpec(labels=labels))
        save_checkpoint(tmp_path / "a.pt", build_model("cnn3", **OPTIONS), metadata, model="cnn3", options=OPTIONS)
    assert json.loads(torch.load(tmp_path / "a.pt", weights_only=True)["edgevision"])["spec"]["labels"] == ["c", "d"]


def test_a_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        save_checkpoint(tmp_path / "no" / "a.pt", build_model("cnn2"), METADATA, model="cnn2", options={})


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path, run_python) -> None:
    path = tmp_path / "cnn2.pt"
    path.write_bytes(b"old")
    script = """
import resource, sys
from pathlib import Path
from edgevision.core.errors import DiskFullError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.models import build_model
from edgevision.training.checkpoint import load_trained, save_checkpoint
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
metadata = ModelMetadata(task="classify", name="cnn2")
try:
    save_checkpoint(Path(sys.argv[1]), build_model("cnn2"), metadata, model="cnn2", options={})
except DiskFullError as error:
    print(error)
"""
    done = run_python("-c", script, str(path))
    assert "no space left to write" in done.stdout, done.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_saved_is_loaded_with_its_metadata(tmp_path: Path) -> None:
    network = build_model("cnn3", **OPTIONS)
    save_checkpoint(tmp_path / "a.pt", network, METADATA, model="cnn3", options=OPTIONS)
    loaded, metadata = load_trained(tmp_path / "a.pt")
    assert metadata == METADATA
    assert loaded.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.pt' is no checkpoint made by edgevision train") as caught:
        load_trained(tmp_path / "a.pt")
    assert "\n" not in str(caught.value)


def test_a_checkpoint_that_is_not_there_or_somebody_elses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"a\.pt' does not exist"):
        load_trained(tmp_path / "a.pt")
    torch.save(build_model("cnn2").state_dict(), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="is no checkpoint made by edgevision train"):
        load_trained(tmp_path / "a.pt")
