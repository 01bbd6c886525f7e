"""Reading a ``.pt2``, the archive of ``torch.export.save``, as data.

``torch.export.load`` unpickles sample inputs and constants, gives expressions to Python and looks up any operator. Here
the document of the graph, the weights as bytes and nothing else are read: sample inputs, custom objects and compiled
libraries are left where they are, and what needs them is refused.
"""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from edgevision.exporters.checkpoints.exported_graph import (
    DTYPES,
    STRIDED,
    ExportedNetwork,
    Graph,
    Value,
    exported_network,
    read_argument,
)
from edgevision.exporters.checkpoints.exported_sizes import Side, parse_expression, read_ranges, read_side
from edgevision.exporters.checkpoints.pickled import check_byte_order, read_zip
from edgevision.exporters.checkpoints.tensors import Storage, TrustNeededError
from edgevision.modelfiles.checkpoint_archive import CheckpointArchive
from edgevision.modelfiles.pickle_reader import memory_for

_OLD_DOCUMENT = "serialized_exported_program.json"
# Each [ { and , becomes an object of Python.
_BYTES_OF_A_MARK = 80


def is_exported_program(names: tuple[str, ...]) -> bool:
    """Whether an archive with these members is one, in the layout of before or since PyTorch 2.8."""
    return _OLD_DOCUMENT in names or "archive_format" in names or any(_is_model(name) for name in names)


def read_exported_program(archive: CheckpointArchive, file_size: int) -> ExportedNetwork:
    """The network; it runs on the CPU and takes the sizes it was exported for.

    Raises:
        TrustNeededError: it needs more than its graph, its weights and harmless operators.
        ValueError: it is damaged.
    """
    check_byte_order(archive)
    try:
        return _network(archive, file_size)
    except (KeyError, TypeError, AttributeError, RecursionError, IndexError) as error:
        raise TrustNeededError(f"is an exported program of a schema that only PyTorch knows ({error!r:.80})") from error


def _network(archive: CheckpointArchive, file_size: int) -> ExportedNetwork:
    models = [name for name in archive.names if name == _OLD_DOCUMENT or _is_model(name)]
    if len(models) != 1:
        raise ValueError(f"it holds {len(models)} models; one is expected")
    document = _json(archive, models[0], file_size)
    _check_expressions(document)
    stored = _stored_tensors(archive, models[0], file_size)
    module = document["graph_module"]
    graph = module["graph"]
    tensors: dict[str, Tensor] = {}
    constants: dict[str, Any] = {}
    inputs: dict[str, list[Side]] = {}
    for spec in module["signature"]["input_specs"]:
        ((kind, held),) = spec.items()
        if kind == "user_input":
            argument = read_argument(held["arg"], 0)
            if isinstance(argument, Value):
                sizes = graph["tensor_values"][argument.name]["sizes"]
                inputs[argument.name] = [read_side(size) for size in sizes]
        elif kind == "constant_input":
            constants[held["name"]] = read_argument(held["value"], 0)
        elif kind in _STORED:
            tensors[held["arg"]["name"]] = stored[held[_STORED[kind]]]
        else:
            raise TrustNeededError(f"is a program with an input {kind!r:.40}, which is no tensor")
    for spec in module["signature"]["output_specs"]:
        if list(spec) != ["user_output"]:
            raise ValueError("it changes its weights while it runs; export it in evaluation mode, network.eval()")
    ranges = read_ranges(document["range_constraints"])
    return exported_network(Graph(graph), tensors, constants, inputs, ranges)


_STORED = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}


def _is_model(name: str) -> bool:
    return name.startswith("models/") and name.endswith(".json")


def _json(archive: CheckpointArchive, name: str, file_size: int) -> Any:
    text = archive.read(name)
    if _BYTES_OF_A_MARK * sum(map(text.count, (b"[", b"{", b","))) > memory_for(file_size):
        raise ValueError(f"its member {name!r:.80} would take far more memory than the file is large")
    return json.loads(text)


def _check_expressions(document: Any) -> None:
    """None of them is evaluated, but a file that has Python in their place was not written by PyTorch."""
    left = [document]
    while left:
        part = left.pop()
        if isinstance(part, Mapping):
            if "expr_str" in part:
                parse_expression(str(part["expr_str"]))
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


def _stored_tensors(archive: CheckpointArchive, model: str, file_size: int) -> dict[str, Tensor]:
    """The weights and constants by the names they had in the network."""
    if model == _OLD_DOCUMENT:
        pickled = ["serialized_state_dict.pt", "serialized_constants.pt"]
        folders: list[str] = []
    else:
        name = model.removeprefix("models/").removesuffix(".json")
        folders = ["weights", "constants"]
        pickled = [f"data/{folder}/{name}.pt" for folder in folders]
    found: dict[str, Tensor] = {}
    for member in pickled:
        if member in archive.names and archive.size(member):
            found |= _pickled_tensors(archive.read(member), file_size)
    for folder in folders:
        config = f"data/{folder}/{name}_{folder}_config.json"
        if config in archive.names:
            found |= dict(_raw_tensors(archive, f"data/{folder}/", _json(archive, config, file_size), file_size))
    return found


def _pickled_tensors(data: bytes, file_size: int) -> dict[str, Tensor]:
    content = read_zip(CheckpointArchive(io.BytesIO(data)), file_size)
    if not isinstance(content, dict):
        raise ValueError("its weights are no dict")
    return {name: tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}


def _raw_tensors(archive: CheckpointArchive, folder: str, config: Any, file_size: int) -> Iterator[tuple[str, Tensor]]:
    """``PayloadConfig``: several tensors may lie in one member."""
    read: dict[str, Tensor] = {}
    for name, payload in config["config"].items():
        meta, path = payload["tensor_meta"], payload["path_name"]
        if meta is None:
            continue  # an object that no tensor is: whoever needs it does not find it
        if payload["use_pickle"]:
            tensor = read_zip(CheckpointArchive(io.BytesIO(archive.read(folder + path))), file_size)
            if isinstance(tensor, Tensor):
                yield name, tensor
            continue
        if meta["layout"] != STRIDED or meta["dtype"] not in DTYPES:
            raise ValueError(f"its tensor {name!r:.80} is of a kind that no network here takes")
        if path not in read:
            read[path] = torch.empty(archive.size(folder + path), dtype=torch.uint8)
            archive.read_into(folder + path, read[path].numpy().data)
        size, stride = ([_number(item) for item in meta[field]] for field in ("sizes", "strides"))
        yield name, Storage(read[path], DTYPES[meta["dtype"]]).view(_number(meta["storage_offset"]), size, stride)


def _number(item: Any) -> int:
    number = item["as_int"]
    if not isinstance(number, int):
        raise ValueError("it describes a tensor of a size that is no number")
    return number
