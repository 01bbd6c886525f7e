"""Checkpoints from anywhere are read as networks, and none of them runs code."""

import hashlib
import os
import pickle
import re
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from edgevision.core.errors import CheckpointError, InputError, ModelFileError
from edgevision.exporters.checkpoints import Checkpoint, read_checkpoint
from edgevision.exporters.checkpoints.files import read_file
from edgevision.exporters.checkpoints.network import build_network
from edgevision.modelfiles.metadata import ModelMetadata

Trace = Callable[[nn.Module, Tensor], torch.jit.ScriptModule]

ARCH = "tiny_networks:restorer"


def holds(checkpoint: Checkpoint, weights: dict[str, Tensor]) -> bool:
    found = checkpoint.network.state_dict()
    return set(found) == set(weights) and all(torch.equal(found[name], tensor) for name, tensor in weights.items())


class RunsACommand:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


# --- what trainers write ---


def test_a_bare_state_dict_fills_the_network_of_arch(tiny_networks: ModuleType, tmp_path: Path) -> None:
    weights = tiny_networks.restorer().state_dict()
    torch.save(weights, tmp_path / "bare.pth")
    read = read_checkpoint(tmp_path / "bare.pth", arch=ARCH)
    assert holds(read, weights)
    assert not read.network.training
    assert read.metadata is None
    assert read.notes == ()
    assert read.sha256 == hashlib.sha256((tmp_path / "bare.pth").read_bytes()).hexdigest()


@pytest.mark.parametrize("key", ["state_dict", "model", "params_ema", "generator", "anything_else"])
def test_nested_weights_are_found_and_the_place_is_noted(tiny_networks: ModuleType, tmp_path: Path, key: str) -> None:
    weights = tiny_networks.restorer().state_dict()
    torch.save({"epoch": 3, key: weights}, tmp_path / "nested.pt")
    read = read_checkpoint(tmp_path / "nested.pt", arch=ARCH)
    assert holds(read, weights)
    assert read.notes == (f"weights taken from {key!r}",)


def test_the_average_over_training_is_preferred(tiny_networks: ModuleType, tmp_path: Path) -> None:
    last, average = tiny_networks.restorer().state_dict(), tiny_networks.restorer().state_dict()
    torch.save({"params": last, "params_ema": average}, tmp_path / "both.pth")
    assert holds(read_checkpoint(tmp_path / "both.pth", arch=ARCH), average)


def test_weights_two_levels_down_are_found(tiny_networks: ModuleType, tmp_path: Path) -> None:
    weights = tiny_networks.restorer().state_dict()
    torch.save({"model": {"state_dict": weights}, "discriminator": {}}, tmp_path / "deep.pt")
    read = read_checkpoint(tmp_path / "deep.pt", arch=ARCH)
    assert holds(read, weights)
    assert read.notes == ("weights taken from 'model.state_dict'",)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "net.backbone."])
def test_prefixes_of_wrappers_are_stripped(tiny_networks: ModuleType, tmp_path: Path, prefix: str) -> None:
    weights = tiny_networks.restorer().state_dict()
    torch.save(OrderedDict((prefix + name, tensor) for name, tensor in weights.items()), tmp_path / "wrapped.pt")
    read = read_checkpoint(tmp_path / "wrapped.pt", arch=ARCH)
    assert holds(read, weights)
    assert read.notes == (f"prefix {prefix!r} stripped from the names",)


def test_a_checkpoint_for_resuming_with_its_optimizer_is_read(tiny_networks: ModuleType, tmp_path: Path) -> None:
    network = tiny_networks.restorer()
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.rand(1, 1, 8, 8)).sum().backward()
    optimizer.step()
    weights = network.state_dict()
    torch.save({"step": 9, "model": weights, "optimizer": optimizer.state_dict()}, tmp_path / "step9.pt")
    assert holds(read_checkpoint(tmp_path / "step9.pt", arch=ARCH), weights)


def test_a_file_of_before_torch_1_6_is_read(tiny_networks: ModuleType, tmp_path: Path) -> None:
    weights = tiny_networks.restorer().state_dict()
    torch.save(weights, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert (tmp_path / "old.pth").read_bytes()[:2] != b"PK"
    assert holds(read_checkpoint(tmp_path / "old.pth", arch=ARCH), weights)


def test_safetensors_are_read(tiny_networks: ModuleType, tmp_path: Path) -> None:
    weights = tiny_networks.restorer().state_dict()
    save_file(weights, tmp_path / "weights.safetensors")
    assert holds(read_checkpoint(tmp_path / "weights.safetensors", arch=ARCH), weights)


def test_trusted_torchscript_needs_no_arch(tiny_networks: ModuleType, trace: Trace, tmp_path: Path) -> None:
    network = tiny_networks.restorer().eval()
    image = torch.rand(1, 1, 8, 8)
    trace(network, image).save(tmp_path / "traced.pt")
    read = read_checkpoint(tmp_path / "traced.pt", trust_pickle=True)
    torch.testing.assert_close(read.network(image), network(image), rtol=1e-5, atol=1e-6)
    assert read.notes == ("read as TorchScript",)


def test_an_exported_program_needs_no_arch(tiny_networks: ModuleType, tmp_path: Path) -> None:
    network = tiny_networks.restorer().eval()
    image = torch.rand(1, 1, 8, 8)
    torch.export.save(torch.export.export(network, (image,)), tmp_path / "program.pt2")
    for trusted in (False, True):
        read = read_checkpoint(tmp_path / "program.pt2", trust_pickle=trusted)
        torch.testing.assert_close(read.network(image), network(image), rtol=1e-5, atol=1e-6)
        assert read.notes == ("read as an exported program",)


def test_weights_that_were_saved_on_a_gpu_are_read_without_one(
    tiny_networks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tiny_networks.restorer().state_dict()
    with monkeypatch.context() as patched:
        patched.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        torch.save(weights, tmp_path / "gpu.pt")
    assert b"cuda:0" in (tmp_path / "gpu.pt").read_bytes()
    read = read_checkpoint(tmp_path / "gpu.pt", arch=ARCH)
    assert holds(read, weights)
    assert {tensor.device.type for tensor in read.network.state_dict().values()} == {"cpu"}


def test_counters_of_batches_that_old_files_lack_are_not_missed(tiny_networks: ModuleType, tmp_path: Path) -> None:
    weights = {k: v for k, v in tiny_networks.restorer().state_dict().items() if "num_batches" not in k}
    torch.save(weights, tmp_path / "old.pth")
    network = read_checkpoint(tmp_path / "old.pth", arch=ARCH).network
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in weights.items())


def test_options_reach_the_callable_of_arch(tiny_networks: ModuleType, tmp_path: Path) -> None:
    weights = tiny_networks.restorer(width=7).state_dict()
    torch.save(weights, tmp_path / "wide.pt")
    assert holds(read_checkpoint(tmp_path / "wide.pt", arch=ARCH, arch_options={"width": 7}), weights)


# --- the project's own ---


def test_an_own_checkpoint_brings_its_network_and_metadata(checkpoint: Path, classifier: nn.Module) -> None:
    read = read_checkpoint(checkpoint)
    assert holds(read, classifier.state_dict())
    assert not read.network.training
    assert isinstance(read.metadata, ModelMetadata)
    assert read.metadata.spec.labels == ("cat", "dög", "emu", "fox")


def test_arch_overrules_what_an_own_checkpoint_says(checkpoint: Path, classifier: nn.Module) -> None:
    options = {"num_classes": 4, "image_size": 8}
    read = read_checkpoint(checkpoint, arch="edgevision.models:cnn3", arch_options=options)
    assert holds(read, classifier.state_dict())
    assert read.metadata is None


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"edgevision": '{"schema_version": 99, "task": "classify"}'}, ModelFileError, "schema 99"),
        ({"model": "cnn99"}, InputError, "no model 'cnn99'"),
        ({"options": '{"num_classes": 5, "image_size": 8}'}, CheckpointError, "do not fit cnn3"),
        ({"options": "{"}, CheckpointError, "not what builds its network"),
        ({"options": "[1]"}, CheckpointError, "not what builds its network"),
        ({"options": None}, CheckpointError, "not what builds its network"),
        ({"state_dict": None}, CheckpointError, "holds no weights"),
        ({"state_dict": {"features.0.weight": 1}}, CheckpointError, "holds no weights"),
    ],
)
def test_an_own_checkpoint_that_was_tampered_with_is_refused(
    checkpoint: Path, tmp_path: Path, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    document = torch.load(checkpoint, weights_only=True) | changes
    torch.save(document, tmp_path / "changed.pt")
    with pytest.raises(error, match=words):
        read_checkpoint(tmp_path / "changed.pt")


@pytest.mark.parametrize("key", ["model", "options"])
def test_an_own_checkpoint_that_lacks_a_part_is_refused(checkpoint: Path, tmp_path: Path, key: str) -> None:
    document = torch.load(checkpoint, weights_only=True)
    del document[key]
    torch.save(document, tmp_path / "changed.pt")
    with pytest.raises(CheckpointError, match=f"not what builds its network: KeyError '{key}'"):
        read_checkpoint(tmp_path / "changed.pt")


# --- code in files ---


@pytest.mark.parametrize("saved_by", ["torch", "legacy torch", "pickle"])
def test_a_pickle_that_wants_to_run_a_command_is_refused_and_runs_nothing(tmp_path: Path, saved_by: str) -> None:
    marker, path = tmp_path / "it-ran", tmp_path / "evil.pt"
    content = {"state_dict": RunsACommand(f"echo > {marker}")}
    if saved_by == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=saved_by == "torch")
    with pytest.raises(CheckpointError, match=rf"would run {os.system.__module__}\.system.*--trust-pickle"):
        read_checkpoint(path, arch=ARCH)
    assert not marker.exists()
    # The file is a live one: read with trust, it does what it wanted.
    with pytest.raises(CheckpointError, match=r"holds no weights|Invalid magic number"):
        read_checkpoint(path, arch=ARCH, trust_pickle=True)
    assert marker.exists()


def test_a_pickled_network_needs_trust_and_then_no_arch(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    torch.save(network, tmp_path / "whole.pt")
    with pytest.raises(CheckpointError, match=r"would run torch\.nn\.modules\.container\.Sequential\."):
        read_checkpoint(tmp_path / "whole.pt")
    read = read_checkpoint(tmp_path / "whole.pt", trust_pickle=True)
    assert holds(read, network.state_dict())
    assert not read.network.training
    assert read.notes == ("read as a pickled module",)


def test_a_network_pickled_inside_a_training_checkpoint_gives_its_weights(
    tiny_networks: ModuleType, tmp_path: Path
) -> None:
    network = tiny_networks.restorer()
    torch.save({"epoch": 1, "ema": network}, tmp_path / "epoch1.pt")
    assert holds(read_checkpoint(tmp_path / "epoch1.pt", arch=ARCH, trust_pickle=True), network.state_dict())


def test_a_pickled_network_whose_code_is_missing_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("code_of_long_ago")
    exec("from torch import nn\nclass Lost(nn.Module): pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "code_of_long_ago", module)
    torch.save(module.Lost(), tmp_path / "lost.pt")
    monkeypatch.delitem(sys.modules, "code_of_long_ago")
    with pytest.raises(CheckpointError, match="whose code is missing here: No module named 'code_of_long_ago'"):
        read_checkpoint(tmp_path / "lost.pt", trust_pickle=True)


@pytest.mark.parametrize("name", ["program.pt", "weights.pth", "weights.safetensors", "model.bin", "program.pt2"])
def test_torchscript_is_refused_under_any_name_and_says_what_it_can_do(
    tiny_networks: ModuleType, trace: Trace, tmp_path: Path, name: str
) -> None:
    trace(tiny_networks.restorer().eval(), torch.rand(1, 1, 8, 8)).save(tmp_path / name)
    with pytest.raises(CheckpointError, match=r"is TorchScript, a program.*overwrite files.*--trust-pickle"):
        read_checkpoint(tmp_path / name, arch=ARCH)


# --- tensors that are not what they say ---


def rewritten(path: Path, old: bytes, new: bytes) -> None:
    """Change the pickle in a checkpoint's zip."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            assert old in data or not name.endswith("data.pkl")
            archive.writestr(name, data.replace(old, new) if name.endswith("data.pkl") else data)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"K\x05K\x03\x86", b"K\x05K\x04\x86", "5x4 that reaches outside"),
        (b"K\x03K\x01\x86", b"K\x04K\x01\x86", "5x3 that reaches outside"),
        (b"K\x03K\x01\x86", b"K\x03J\xff\xff\xff\xff\x86", "size or stride is none"),
        (b"K\x05K\x03\x86", b"J\xff\xff\xff\x7fK\x03\x86", "outside"),
        (b"cpu", b"cup", None),
        (b"K\x0ftq", b"K\x10tq", "more data than its member"),
        (b"K\x0ftq", b"J\xff\xff\xff\x7ftq", "more data than its member"),
        (b"FloatStorage", b"QInt8Storage", "quantized"),
        (b"FloatStorage", b"DoubleStorage", "more data than its member"),
    ],
)
def test_a_tensor_is_checked_against_its_data(tmp_path: Path, old: bytes, new: bytes, words: str | None) -> None:
    path = tmp_path / "line.pt"
    torch.save({"weight": torch.rand(5, 3)}, path)
    rewritten(path, old, new)
    with pytest.raises(CheckpointError, match=words or "bare weights"):
        read_checkpoint(path)


def test_few_numbers_do_not_stand_for_a_huge_tensor(tmp_path: Path) -> None:
    torch.save({"small": torch.ones(1).expand(4, 5), "huge": torch.ones(1).expand(1 << 20, 1 << 20)}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="describes a tensor of 1048576x1048576 on 1 numbers"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize("as_zip", [True, False])
def test_tensors_of_all_kinds_come_out_as_they_went_in(tmp_path: Path, as_zip: bool) -> None:
    base = torch.arange(24.0)
    content = {
        "view": base[3:15].view(3, 4).t(),
        "tied": base,
        "scalar": torch.tensor(3.5),
        "none": torch.zeros(0, 4),
        "parameter": nn.Parameter(torch.rand(2)),
        **{str(kind): torch.ones(3).to(kind) for kind in (torch.half, torch.bfloat16, torch.int64, torch.bool)},
    }
    torch.save(content, tmp_path / "all.pt", _use_new_zipfile_serialization=as_zip)
    found, _ = read_file(tmp_path / "all.pt")
    assert list(found) == list(content)
    assert all(torch.equal(found[name], tensor) for name, tensor in content.items())
    assert all(found[name].dtype == tensor.dtype for name, tensor in content.items())
    assert found["view"].untyped_storage().data_ptr() == found["tied"].untyped_storage().data_ptr()


def test_a_checkpoint_without_checksums_is_read_and_with_a_wrong_one_refused(tmp_path: Path) -> None:
    weights = {"weight": torch.rand(5, 3)}
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(weights, tmp_path / "without.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(read_file(tmp_path / "without.pt")[0]["weight"], weights["weight"])
    torch.save(weights, tmp_path / "wrong.pt")
    data = (tmp_path / "wrong.pt").read_bytes()
    (tmp_path / "wrong.pt").write_bytes(data.replace(weights["weight"].numpy().tobytes(), bytes(60)))
    with pytest.raises(CheckpointError, match="Bad CRC-32"):
        read_file(tmp_path / "wrong.pt")


def test_numbers_of_numpy_beside_the_weights_are_numbers(tmp_path: Path) -> None:
    noted = {"best": np.float64(0.25), "epoch": np.int64(-7), "half": np.float16(1.5), "done": np.bool_(True)}
    torch.save(noted, tmp_path / "noted.pt")
    assert read_file(tmp_path / "noted.pt")[0] == {"best": 0.25, "epoch": -7, "half": 1.5, "done": True}


def test_what_pytorch_reads_as_data_is_read_beside_the_weights(tmp_path: Path) -> None:
    noted = {
        "generator": {"state": 2**127 + 5},
        "raw": bytearray(b"\x00\xff"),
        "layout": torch.strided,
        "chosen": {((1, 2), 3): 4, torch.float16: 5, "a": 6},
    }
    torch.save(noted, tmp_path / "noted.pt")
    torch.load(tmp_path / "noted.pt", weights_only=True)
    found = read_file(tmp_path / "noted.pt")[0]
    assert found["generator"] == noted["generator"]
    assert bytes(found["raw"]) == b"\x00\xff"
    assert found["chosen"] == {"a": 6}


def test_the_versions_of_layers_are_kept(tiny_networks: ModuleType, tmp_path: Path) -> None:
    weights = tiny_networks.restorer().state_dict()
    torch.save(weights, tmp_path / "net.pt")
    assert read_file(tmp_path / "net.pt")[0]._metadata == weights._metadata


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.eye(3).to_sparse(), "holds a sparse tensor"),
        (torch.empty(3, device="meta"), "the device 'meta', which has no values"),
    ],
    ids=["sparse", "meta"],
)
def test_tensors_that_no_network_takes_are_named(tmp_path: Path, tensor: Tensor, words: str) -> None:
    torch.save({"weight": tensor}, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=f"odd.pt' holds .*{words.removeprefix('holds ')}"):
        read_checkpoint(tmp_path / "odd.pt")


def test_a_checkpoint_that_holds_itself_is_refused_with_trust_too(tmp_path: Path) -> None:
    content: dict[str, Any] = {"epoch": 1}
    content["state_dict"] = content
    torch.save(content, tmp_path / "loop.pt")
    for trusted in (False, True):
        with pytest.raises(CheckpointError, match="a dict that holds itself"):
            read_checkpoint(tmp_path / "loop.pt", arch=ARCH, trust_pickle=trusted)


# --- damage ---


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'.*none\.pt' does not exist"):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="is a folder"):
        read_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="is not a regular file"):
        read_checkpoint(Path(os.devnull))


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.ckpt", "a.pt2", "a.safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"This is a letter, not a network.\n", b"\x80\x02", b"PK\x03\x04 and no more"]
)
def test_what_is_no_checkpoint_is_called_so(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    # Nothing of what torch says about trust, which would be bad advice here.
    with pytest.raises(
        CheckpointError, match=rf"{re.escape(name)}' (is not a PyTorch checkpoint|is cut off or damaged)"
    ):
        read_checkpoint(tmp_path / name, arch=ARCH)


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused(
    tiny_networks: ModuleType, tmp_path: Path, as_zip: bool, share: float
) -> None:
    path = tmp_path / "half.pt"
    torch.save(tiny_networks.restorer().state_dict(), path, _use_new_zipfile_serialization=as_zip)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    words = "is cut off or damaged" if as_zip else "is not a PyTorch checkpoint, or is cut off"
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(path, arch=ARCH)


def test_a_damaged_torchscript_file_is_refused(tiny_networks: ModuleType, trace: Trace, tmp_path: Path) -> None:
    path = tmp_path / "traced.pt"
    trace(tiny_networks.restorer().eval(), torch.rand(1, 1, 8, 8)).save(path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"__torch__", b"__chrot__"))
    with pytest.raises(CheckpointError, match="is cut off or damaged"):
        read_checkpoint(path, trust_pickle=True)


@pytest.mark.parametrize(
    ("content", "held"),
    [
        ({"epoch": 3, "loss": 0.5}, "it holds 'epoch', 'loss'"),
        ({"a": {"x": torch.ones(1)}, "b": {"y": torch.ones(1)}}, "it holds 'a', 'b'"),
        ([torch.ones(1)], "it holds list"),
        (torch.ones(3), "it holds Tensor"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(tmp_path: Path, content: object, held: str) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=held):
        read_checkpoint(tmp_path / "other.pt", arch=ARCH)


# --- weights that do not fit ---


def test_bare_weights_without_arch_say_what_they_are(tiny_networks: ModuleType, tmp_path: Path) -> None:
    torch.save(tiny_networks.restorer().state_dict(), tmp_path / "bare.pt")
    with pytest.raises(CheckpointError, match=r"bare weights \(9 tensors: 0\.weight \(4, 1, 3, 3\).*--arch package"):
        read_checkpoint(tmp_path / "bare.pt")


def test_weights_of_another_shape_are_named(tiny_networks: ModuleType, tmp_path: Path) -> None:
    torch.save(tiny_networks.restorer(width=5).state_dict(), tmp_path / "wide.pt")
    words = r"tiny_networks:restorer: 7 of another shape \(0\.weight is \(5, 1, 3, 3\), not \(4, 1, 3, 3\), .* \.\.\.\)"
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(tmp_path / "wide.pt", arch=ARCH)


def test_missing_and_surplus_weights_are_named(tiny_networks: ModuleType, tmp_path: Path) -> None:
    weights = tiny_networks.restorer().state_dict()
    weights["9.weight"] = weights.pop("3.weight")
    torch.save(weights, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"1 missing \(3\.weight\); 1 surplus \(9\.weight\)"):
        read_checkpoint(tmp_path / "other.pt", arch=ARCH)


# --- arch ---


@pytest.mark.parametrize(
    ("arch", "words"),
    [
        ("tiny_networks", "package.module:callable, .* not 'tiny_networks'"),
        (":restorer", "package.module:callable"),
        ("tiny_networks:", "package.module:callable"),
        ("no_such_module:net", "'no_such_module' cannot be imported: ModuleNotFoundError"),
        ("tiny_networks:absent", "'tiny_networks' has no callable 'absent'"),
        ("tiny_networks:number", "'tiny_networks' has no callable 'number'"),
        ("tiny_networks:raises", "fails: RuntimeError: no weights for you"),
        ("tiny_networks:gives_a_number", "gives int, not a torch.nn.Module"),
    ],
)
def test_a_wrong_arch_says_what_is_wrong(tiny_networks: ModuleType, tmp_path: Path, arch: str, words: str) -> None:
    torch.save(tiny_networks.restorer().state_dict(), tmp_path / "bare.pt")
    with pytest.raises(InputError, match=words):
        read_checkpoint(tmp_path / "bare.pt", arch=arch)


def test_options_that_the_callable_does_not_take_are_an_input_error(tiny_networks: ModuleType, tmp_path: Path) -> None:
    torch.save(tiny_networks.restorer().state_dict(), tmp_path / "bare.pt")
    with pytest.raises(InputError, match=r"called with {'depth': 3} fails: TypeError"):
        read_checkpoint(tmp_path / "bare.pt", arch=ARCH, arch_options={"depth": 3})


NETWORK_OF_A_FOLDER = """
from torch import nn
from blocks_of_this_folder import Line
from package_of_this_folder.deep import WIDTH

try:
    import library_of_the_test
except ImportError:
    library_of_the_test = None


class Net(Line):
    def forward(self, x):
        from late_in_this_folder import half
        return half(super().forward(x))


net = lambda: Net(2, WIDTH)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a network of several files, which is not on the path, as for the installed command."""
    folder = tmp_path / "current"
    (folder / "package_of_this_folder").mkdir(parents=True)
    (folder / "package_of_this_folder/deep.py").write_text("from .sides import WIDTH\n")
    (folder / "package_of_this_folder/sides.py").write_text("WIDTH = 1\n")
    (folder / "network_of_this_folder.py").write_text(NETWORK_OF_A_FOLDER)
    (folder / "blocks_of_this_folder.py").write_text("from torch import nn\nclass Line(nn.Linear): pass\n")
    (folder / "late_in_this_folder.py").write_text("half = lambda x: x / 2\n")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_network_of_the_current_folder_brings_its_other_files(folder: Path) -> None:
    weights = nn.Linear(2, 1).state_dict()
    torch.save(weights, "line.pt")
    network = read_checkpoint(Path("line.pt"), arch="network_of_this_folder:net").network
    image = torch.rand(3, 2)
    torch.testing.assert_close(network(image), nn.functional.linear(image, weights["weight"], weights["bias"]) / 2)
    assert str(folder) not in sys.path


def test_installed_code_finds_nothing_in_the_current_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "installed"
    elsewhere.mkdir()
    library = "try:\n    import optional_of_the_test\nexcept ImportError:\n    optional_of_the_test = None\n"
    (elsewhere / "library_of_the_test.py").write_text(library)
    (folder / "optional_of_the_test.py").write_text("raise SystemExit\n")
    (folder / "library_of_the_test.py").write_text("raise SystemExit\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(elsewhere)])
    torch.save(nn.Linear(2, 1).state_dict(), "line.pt")
    read_checkpoint(Path("line.pt"), arch="network_of_this_folder:net").network(torch.rand(1, 2))
    assert sys.modules["library_of_the_test"].__file__ == str(elsewhere / "library_of_the_test.py")
    assert sys.modules["library_of_the_test"].optional_of_the_test is None


def test_a_file_that_an_installed_module_hides_is_named(folder: Path) -> None:
    (folder / "colorsys.py").write_text("raise SystemExit\n")
    torch.save(nn.Linear(2, 1).state_dict(), "line.pt")
    with pytest.raises(
        InputError, match=r"no callable 'net'; 'colorsys' is the installed .*colorsys\.py, .* rename yours"
    ):
        read_checkpoint(Path("line.pt"), arch="colorsys:net")


def test_a_script_that_ends_the_program_is_an_error(folder: Path) -> None:
    (folder / "script_of_this_folder.py").write_text("raise SystemExit('usage: train.py')\n")
    torch.save(nn.Linear(2, 1).state_dict(), "line.pt")
    with pytest.raises(InputError, match="cannot be imported: SystemExit: usage"):
        read_checkpoint(Path("line.pt"), arch="script_of_this_folder:net")


def test_a_network_is_built_without_pytorchs_remarks_and_with_its_authors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import warnings\nfrom torch import nn\n\ndef net():\n    warnings.warn('mind the gap')\n"
    code += "    return nn.utils.weight_norm(nn.Linear(2, 1))\n"
    (tmp_path / "network_of_long_ago.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="mind the gap") as said:
        build_network("network_of_long_ago:net", {})
    assert len(said) == 1  # weight_norm is deprecated


# --- published ones ---


def test_the_published_resnet20_is_read(shared: Path) -> None:
    read = read_checkpoint(shared / "cases/resnet20_cifar10/resnet20.th", arch="edgevision.models:resnet20")
    assert read.notes == ("weights taken from 'state_dict'", "prefix 'module.' stripped from the names")
    assert sum(parameter.numel() for parameter in read.network.parameters()) == 269_722


def test_the_published_dncnn_is_read_and_denoises(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class DnCnn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = [nn.Conv2d(1, 64, 3, padding=1, bias=False), nn.ReLU()]
            for _ in range(15):
                layers += [nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
            self.dncnn = nn.Sequential(*layers, nn.Conv2d(64, 1, 3, padding=1, bias=False))

        def forward(self, noisy: Tensor) -> Tensor:
            return self.dncnn(noisy)

    module = types.ModuleType("dncnn_of_the_test")
    module.DnCnn = DnCnn
    monkeypatch.setitem(sys.modules, "dncnn_of_the_test", module)
    read = read_checkpoint(shared / "cases/dncnn_s25/net.pth", arch="dncnn_of_the_test:DnCnn")
    assert read.notes == ("prefix 'module.' stripped from the names",)
    torch.manual_seed(0)
    clean = torch.linspace(0.2, 0.8, 64).repeat(64, 1)[None, None]
    noise = 25 / 255 * torch.randn_like(clean)
    with torch.inference_mode():
        left = noise - read.network(clean + noise)  # the network predicts the noise
    assert 20 * torch.log10(noise.std() / left.std()) > 8  # dB


def test_the_published_fsrcnn_and_gan_find_their_weights(shared: Path) -> None:
    with pytest.raises(CheckpointError, match=r"bare weights \(20 tensors: feature_extract\.weight \(56, 3, 5, 5\)"):
        read_checkpoint(shared / "cases/fsrcnn_x2/ckpt.pt")
    with pytest.raises(CheckpointError, match=r"bare weights \(6 tensors: 0\.weight \(256, 64\)"):
        read_checkpoint(shared / "cases/mnist_gan_mlp/G--300.ckpt")


def test_the_published_gan_is_read(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("gan_of_the_test")
    module.generator = lambda: nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh()
    )
    monkeypatch.setitem(sys.modules, "gan_of_the_test", module)
    read = read_checkpoint(shared / "cases/mnist_gan_mlp/G--300.ckpt", arch="gan_of_the_test:generator")
    weights = torch.load(shared / "cases/mnist_gan_mlp/G--300.ckpt", weights_only=True, map_location="cpu")
    assert holds(read, weights)
