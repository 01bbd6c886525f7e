"""A ``.pt2`` is read as data: its graph is run by a reader of our own, and no pickle or expression in it is."""

import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._export.serde.serialize import serialize
from torch.export import Dim

from edgevision.core.errors import CheckpointError
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.checkpoints.exported_sizes import Side, read_side


class Net(nn.Module):
    """A bit of what vision networks are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.ReLU(inplace=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.shuffle = nn.PixelShuffle(2)
        self.gain = torch.full((1,), 1.5)

    def forward(self, image: Tensor) -> dict[str, Any]:
        n, _, h, w = image.shape
        x = self.act(self.norm(self.first(image)))
        tokens = x.flatten(2).transpose(1, 2)
        x = x + self.attention(tokens, tokens, tokens)[0].transpose(1, 2).reshape(n, 8, h, w)
        with torch.no_grad():
            gate = torch.sigmoid(x.mean((2, 3), keepdim=True))
        x = self.shuffle(x * gate * self.gain)
        x = nn.functional.interpolate(x, (h, w), mode="bilinear", align_corners=False)
        first, second = x.chunk(2, 1)
        return {"image": torch.cat([first, second.clamp(0, 1)], 1), "scores": (x.amax((2, 3)), x.std((2, 3)))}


def answers(network: nn.Module, image: Tensor) -> list[Tensor]:
    with torch.no_grad():
        leaves: list[Tensor] = torch.utils._pytree.tree_leaves(network(image))
    return leaves


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def program(network: nn.Module) -> torch.export.ExportedProgram:
    sides = {2: Dim("height", min=8, max=64), 3: 2 * Dim("half", min=4, max=32)}
    return torch.export.export(network, (torch.rand(1, 3, 16, 16),), dynamic_shapes={"image": sides})


@pytest.fixture(scope="module")
def archive(program: torch.export.ExportedProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    torch.export.save(program, path)
    return path


Change = Callable[[str, bytes], bytes]


def changed(archive: Path, path: Path, change: Change) -> Path:
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return path


def in_the_graph(pattern: str, replacement: str) -> Change:
    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("model.json"):
            return data
        text, count = re.subn(pattern, lambda found: replacement, data.decode())
        assert count
        return text.encode()

    return change


def test_a_program_computes_what_the_network_does_at_every_size(archive: Path, network: nn.Module) -> None:
    read = read_checkpoint(archive)
    assert read.notes == ("read as an exported program",)
    for height, width in ((16, 16), (9, 24), (40, 8)):
        image = torch.rand(1, 3, height, width)
        torch.testing.assert_close(list(read.network(image)), answers(network, image))


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_a_program_of_core_operators_is_read(
    program: torch.export.ExportedProgram, network: nn.Module, tmp_path: Path
) -> None:
    torch.export.save(program.run_decompositions(), tmp_path / "core.pt2")
    image = torch.rand(1, 3, 12, 20)
    found = list(read_checkpoint(tmp_path / "core.pt2").network(image))
    torch.testing.assert_close(found, answers(network, image), rtol=1e-4, atol=1e-5)


def test_the_layout_of_before_torch_2_8_is_read(
    program: torch.export.ExportedProgram, network: nn.Module, tmp_path: Path
) -> None:
    parts = serialize(program)
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as old:
        old.writestr("version", "8.1")
        old.writestr("serialized_exported_program.json", parts.exported_program)
        old.writestr("serialized_state_dict.pt", parts.state_dict)
        old.writestr("serialized_constants.pt", parts.constants)
        old.writestr("serialized_example_inputs.pt", b"never read")
    image = torch.rand(1, 3, 12, 20)
    torch.testing.assert_close(list(read_checkpoint(tmp_path / "old.pt2").network(image)), answers(network, image))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 3, 16, 17), r"1x3x16x17; it was exported for 1x3xs\d+x2\*s\d+"),
        ((1, 3, 7, 16), "at least 8"),
        ((1, 3, 65, 16), "at most 64"),
        ((2, 3, 16, 16), "it was exported for 1x3x"),
        ((1, 16, 16), "input 1 is 1x16x16"),
    ],
)
def test_sizes_that_it_was_not_exported_for_are_refused(archive: Path, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_checkpoint(archive).network(torch.rand(shape))


def test_a_branch_on_values_is_kept(tmp_path: Path) -> None:
    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = torch.cond(x.mean() > 0, lambda v: v * 2, lambda v: v - 1, (x,))
            return found

    torch.export.save(torch.export.export(Branch(), (torch.ones(2, 2),)), tmp_path / "branch.pt2")
    read = read_checkpoint(tmp_path / "branch.pt2").network
    assert read(torch.ones(2, 2)).tolist() == [[2, 2], [2, 2]]
    assert read(-torch.ones(2, 2)).tolist() == [[-2, -2], [-2, -2]]


# --- what a stranger puts into it ---


class RunsACommand:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def test_no_pickle_in_it_is_run(archive: Path, network: nn.Module, tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save((RunsACommand(f"echo > {tmp_path}/ran"), {}), stream)
    # In place of the sample inputs it is not looked at.
    path = changed(
        archive, tmp_path / "samples.pt2", lambda n, data: stream.getvalue() if "sample_inputs" in n else data
    )
    image = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(list(read_checkpoint(path).network(image)), answers(network, image))

    # As a weight that has to be unpickled it is refused.
    def pickled(name: str, data: bytes) -> bytes:
        if name.endswith("weights/weight_0"):
            return stream.getvalue()
        return (
            data.replace(b'"use_pickle": false', b'"use_pickle": true')
            if name.endswith("weights_config.json")
            else data
        )

    with pytest.raises(CheckpointError, match=r"would run \w+\.system\. --trust-pickle"):
        read_checkpoint(changed(archive, tmp_path / "weights.pt2", pickled))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "code",
    [
        "__import__('os').system('echo > ran')",
        "(lambda: 1)()",
        "s0.__class__",
        "[1 for _ in s0]",
        "eval('1')",
        "s0" * 2000,
    ],
)
def test_an_expression_that_is_no_arithmetic_is_refused(archive: Path, tmp_path: Path, code: str) -> None:
    change = in_the_graph(r'"expr_str": ?"[^"]*"', f'"expr_str": {json.dumps(code)}')
    with pytest.raises(CheckpointError, match=r"which is no arithmetic|s0s0s0"):
        read_checkpoint(changed(archive, tmp_path / "evil.pt2", change))


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.resize_.default",
        "torch.ops.aten.set_.source_Storage",
        "torch.ops.aten.relu.out",
        "torch.ops.aten.no_such_operator.default",
        "torch.ops.aten.__class__.default",
        "torch.ops.foreign.relu.default",
        "torch.ops.load_library",
        "torch.ops.higher_order.map_impl",
        "torch.os.system",
        "_operator.pow",
        "os.system",
    ],
)
def test_an_operator_that_is_not_known_to_be_harmless_is_named(archive: Path, tmp_path: Path, target: str) -> None:
    change = in_the_graph(r"torch\.ops\.aten\.sigmoid\.default", target)
    with pytest.raises(CheckpointError, match=rf"calls '{re.escape(target)}', which is not known .* --trust-pickle"):
        read_checkpoint(changed(archive, tmp_path / "evil.pt2", change))


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r'"graph_module"', '"graph"'),
        (r'"nodes": \[', '"nodes": [7, '),
        (r'"as_int": 1\b', '"as_int": "1"'),
        (r'"as_tensor": \{"name": "image', '"as_graph": {"name": "image'),
        (r"^\{", "{{"),
    ],
)
def test_a_damaged_graph_is_an_error_in_one_sentence(
    archive: Path, tmp_path: Path, pattern: str, replacement: str
) -> None:
    path = changed(archive, tmp_path / "damaged.pt2", in_the_graph(pattern, replacement))
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert len(str(caught.value).splitlines()) == 1


def test_weights_are_checked_against_their_bytes(archive: Path, tmp_path: Path) -> None:
    path = changed(archive, tmp_path / "short.pt2", lambda n, data: data[:-4] if n.endswith("weight_0") else data)
    with pytest.raises(CheckpointError, match="that reaches outside of its data"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("s0", Side(0, 1, "s0")),
        ("2*s0", Side(0, 2, "s0")),
        ("4*s0 + 1", Side(1, 4, "s0")),
        ("Add(Mul(Integer(2), Symbol('s5', positive=True, integer=True)), Integer(3))", Side(3, 2, "s5")),
        ("Integer(7)", Side(7)),
        ("s0*s1", Side(32)),
        ("Mod(s0, 2)", Side(32)),
    ],
)
def test_sides_are_read_from_either_way_of_writing(text: str, side: Side) -> None:
    assert read_side({"as_expr": {"expr_str": text, "hint": {"as_int": 32}}}) == side
