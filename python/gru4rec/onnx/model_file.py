"""Reads model files with NumPy: docs/file_format.md. Nothing in a file is trusted before it is checked."""
from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gru4rec.onnx.content_hash import content_hash, encode_text

Floats = NDArray[np.float32]

_MAX_HEADER = 100_000_000
_MAX_DIMENSIONS = 2
_MAX_WIDTH = 65536
_TYPES = {"F32": "<f4", "F64": "<f8"}
# Other versions have other contents, so they are refused, as by the program.
_VERSION = "2"
_TRUE = ("true", "True", "1")
_FALSE = ("false", "False", "0")
_PARAMETERS = frozenset("""
    layers loss final_act hidden_act gru_variant constrained_embedding embedding input input_decay history_max
    deep_input batch_size n_epochs bptt learning_rate momentum adapt adapt_params lmbd grad_cap lr_decay dropout_p_embed
    dropout_p_hidden n_sample sample_alpha mask_duplicates logq smoothing pairwise_mean bpreg elu_param sigma
    init_as_normal session_order""".split())


class FormatError(ValueError):
    """The file is not a valid model; the message names path and field, what was expected and what was found."""


@dataclass(frozen=True)
class ModelFile:
    """A model file whose contents were checked."""

    metadata: dict[str, str]
    """The metadata entries of the file, including `hyperparameters`, `items` and `supports`."""
    parameters: dict[str, str]
    """Values by name, as text: docs/parameters.md."""
    items: list[str]
    """Ids in row order."""
    tensors: dict[str, Floats]
    """By name, as float32; those of a model trained in double precision are rounded. Shapes: expected_shapes()."""

    @cached_property
    def layers(self) -> list[int]:
        """Number of units of each layer."""
        return [int(units) for units in self.parameters.get("layers", "100").split("/")]

    def is_set(self, name: str, default: str = "false") -> bool:
        """The value of a parameter that is true or false."""
        return self.parameters.get(name, default) in _TRUE

    @property
    def reset_after(self) -> bool:
        """Whether the cell is that of cuDNN and PyTorch, rather than that of the papers."""
        return self.parameters.get("gru_variant") == "reset_after"

    @property
    def shared_input(self) -> bool:
        """Whether input rows are rows of the output table."""
        return self.is_set("constrained_embedding", "true")

    @property
    def embedding(self) -> int:
        """Width of the separate input table; 0 if there is none."""
        width = self.parameters.get("embedding", "0")
        return 0 if self.shared_input else self.layers[0] if width == "layersize" else int(width)

    @property
    def one_hot(self) -> bool:
        """Whether the input is one-hot: an item's input row is what it adds to the gates."""
        return not self.shared_input and self.embedding == 0

    @property
    def deep_input(self) -> bool:
        """Whether deeper layers get the input of the first layer as well."""
        return self.is_set("deep_input")

    def expected_shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors that the parameters call for."""
        n_items, layers = len(self.items), self.layers
        shapes: dict[str, tuple[int, ...]] = {"Wy.weight": (n_items, layers[-1]), "By.weight": (n_items, 1)}
        if self.embedding:
            shapes["E.weight"] = (n_items, self.embedding)
        row_width = layers[-1] if self.shared_input else self.embedding
        for layer, units in enumerate(layers):
            below = layers[layer - 1] if layer else 0
            width = below + (row_width if layer == 0 or self.deep_input else 0)
            names = tensor_names(layer, self.one_hot, self.reset_after)
            if self.one_hot and layer == 0:
                shapes[names["table"]] = (n_items, 3 * units)
            elif self.reset_after:
                shapes[names["input"]] = (3 * units, width)
            else:
                shapes[names["input"]] = (width, 3 * units)
            if self.one_hot and layer > 0 and self.deep_input:
                shapes[names["table"]] = (n_items, 3 * units)
            if self.reset_after:
                shapes |= {names["state"]: (3 * units, units), names["bias"]: (3 * units,),
                           names["state_bias"]: (3 * units,)}
            else:
                shapes |= {names["gates"]: (units, 2 * units), names["candidate"]: (units, units),
                           names["bias"]: (3 * units,)}
        return shapes


def tensor_names(layer: int, one_hot: bool, reset_after: bool) -> dict[str, str]:
    """The names of all tensors that a layer may have, by role. `table` is that of one-hot input, (V, 3H)."""
    first = one_hot and layer == 0
    if reset_after:
        prefix = "GE" if first else f"G.{layer}"
        return {"table": "GE.weight_ih" if first else f"GE.{layer}.weight", "input": f"{prefix}.weight_ih",
                "state": f"{prefix}.weight_hh", "bias": f"{prefix}.bias_ih", "state_bias": f"{prefix}.bias_hh"}
    if first:
        return {"table": "GE.Wx0.weight", "input": "", "gates": "GE.Wrz0", "candidate": "GE.Wh0", "bias": "GE.Bh0"}
    return {"table": f"GE.{layer}.weight", "input": f"G.{layer}.Wx", "gates": f"G.{layer}.Wrz",
            "candidate": f"G.{layer}.Wh", "bias": f"G.{layer}.Bh"}


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """Reads and checks a model file.

    :raises FormatError: if it is not a model file, of another version, or damaged
    :raises OSError: if it cannot be read
    """
    name = os.fsdecode(path)
    if not stat.S_ISREG(os.stat(name).st_mode):  # a device may have no end, a pipe no writer
        raise OSError(errno.EINVAL, "not a regular file, expected a model file", name)
    with open(name, "rb") as file:
        data = file.read()
    header, values = _split(name, data)
    metadata = _metadata(name, header.pop("__metadata__", {}))
    entries = {tensor: _entry(name, tensor, entry, len(values)) for tensor, entry in header.items()}
    end = 0
    for tensor, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].n_bytes)):
        if entry.begin != end:
            raise FormatError(f"{name}: tensor {tensor}: its values begin at {entry.begin}, expected {end}: tensors "
                              "follow each other without gaps")
        end += entry.n_bytes
    if end != len(values):
        raise FormatError(f"{name}: {len(values) - end} bytes follow the last tensor; the file is damaged")
    stored_hash = metadata.get("content_hash")
    if stored_hash is not None and content_hash(_hashed_parts(metadata, entries, values)) != stored_hash:
        raise FormatError(f"{name}: content_hash differs from the content; the file is damaged: copy it again")
    return _checked(name, metadata, entries, values)


@dataclass(frozen=True)
class _Entry:
    dtype: str
    shape: tuple[int, ...]
    begin: int
    n_bytes: int


def _split(path: str, data: bytes) -> tuple[dict[str, Any], memoryview]:
    """Splits a safetensors file into its header and the bytes of its tensors."""
    if len(data) < 8:
        raise FormatError(f"{path}: {len(data)} bytes, expected a safetensors file: 8 bytes and a header")
    (length,) = struct.unpack_from("<Q", data)
    if length > min(_MAX_HEADER, len(data) - 8):
        raise FormatError(f"{path}: the header should have {length} bytes, the file has {len(data)}; it is cut, or "
                          "not a safetensors file")
    try:
        header = json.loads(data[8:8 + length].decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: the header is not valid JSON: {error}") from None
    if not isinstance(header, dict):
        raise FormatError(f"{path}: the header is not a JSON object; this is not a safetensors file")
    return header, memoryview(data)[8 + length:]


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError if a name occurs twice or a string is not valid Unicode."""
    for string in (part for pair in pairs for part in pair if isinstance(part, str)):
        string.encode()  # raises a ValueError for half of a surrogate pair
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a name occurs twice in an object")
    return result


def _metadata(path: str, entries: Any) -> dict[str, str]:
    """The metadata, checked for format, version and required entries."""
    if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
        raise FormatError(f"{path}: __metadata__ is not an object of strings")
    if entries.get("format") != "gru4rec":
        raise FormatError(f"{path}: format = {entries.get('format')!r}, expected 'gru4rec'; `gru4rec import` turns "
                          "plain weights into a model")
    if entries.get("format_version") != _VERSION:
        raise FormatError(f"{path}: format_version = {entries.get('format_version')!r}, expected '{_VERSION}'; "
                          "`gru4rec import OLD --save NEW` converts older models")
    for entry in ("hyperparameters", "items", "supports"):
        if entry not in entries:
            raise FormatError(f"{path}: the metadata have no entry {entry}")
    return entries


def _entry(path: str, name: str, entry: Any, n_bytes: int) -> _Entry:
    """A tensor's entry in the header, checked against the size of the file."""
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        numbers = (*shape, begin, end)
    except (KeyError, TypeError, ValueError):
        raise FormatError(f"{path}: tensor {name}: expected dtype, shape and two data_offsets") from None
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise FormatError(f"{path}: tensor {name}: dtype = {dtype!r}, expected F32 or F64")
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in numbers) or len(shape) > _MAX_DIMENSIONS:
        raise FormatError(f"{path}: tensor {name}: shape and data_offsets must be whole numbers, 0 or more, of at most "
                          f"{_MAX_DIMENSIONS} dimensions")
    size = math.prod(shape) * np.dtype(_TYPES[dtype]).itemsize
    if end - begin != size or end > n_bytes:
        raise FormatError(f"{path}: tensor {name}: shape {list(shape)} takes {size} bytes, data_offsets are [{begin}, "
                          f"{end}] of {n_bytes}")
    return _Entry(dtype, shape, begin, size)


def _hashed_parts(
        metadata: dict[str, str], entries: dict[str, _Entry], values: memoryview) -> Iterator[bytes | memoryview]:
    """What the content hash covers."""
    for name in sorted(metadata, key=str.encode):
        if name != "content_hash":
            yield encode_text(name) + encode_text(metadata[name])
    for name in sorted(entries, key=str.encode):
        entry = entries[name]
        shape = struct.pack(f"<{len(entry.shape) + 1}Q", len(entry.shape), *entry.shape)
        yield encode_text(name) + encode_text(entry.dtype) + shape
        yield values[entry.begin:entry.begin + entry.n_bytes]


def _checked(path: str, metadata: dict[str, str], entries: dict[str, _Entry], values: memoryview) -> ModelFile:
    """The model. Raises FormatError unless items, parameters and tensors fit together."""
    items = metadata["items"].split("\t")
    if len(set(items)) < len(items) or "" in items:
        raise FormatError(f"{path}: items: an id is empty or occurs twice")
    if re.search(r"[\r\n\0]", metadata["items"]):
        raise FormatError(f"{path}: items: an id contains CR, LF or NUL")
    supports = metadata["supports"].split("\t")
    for number, support in enumerate(supports, 1):
        if not 0 <= _whole(support) < 1 << 63:
            raise FormatError(f"{path}: supports: item {number}: expected a whole number, 0 or more, found {support!r}")
    if len(supports) != len(items):
        raise FormatError(f"{path}: supports: expected {len(items)} numbers, one for each item, found {len(supports)}")
    model = ModelFile(metadata, _parameters(path, metadata["hyperparameters"], len(entries)), items, {})
    _check_together(path, model)
    expected = model.expected_shapes()
    if mismatched := sorted(expected.keys() ^ entries.keys()):
        problem = "missing" if mismatched[0] in expected else "not expected with these parameters"
        raise FormatError(f"{path}: tensor {mismatched[0]} is {problem}")
    for name, shape in expected.items():
        if entries[name].shape != shape:
            raise FormatError(f"{path}: tensor {name}: shape {list(entries[name].shape)}, expected {list(shape)}")
        model.tensors[name] = _weights(path, name, entries[name], values)
    return model


def _whole(text: str) -> int:
    """The whole number that the text is, or -1. int() also takes blanks, signs, underscores and the digits of other
    scripts."""
    match = re.fullmatch(r"0*([0-9]{1,19})", text)
    return int(match[1]) if match else -1


def _parameters(path: str, encoded: str, n_tensors: int) -> dict[str, str]:
    """The parameters. Their names are checked, and the values of those that choose the network."""
    try:
        parameters = json.loads(encoded, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: hyperparameters is not valid JSON: {error}") from None
    if not isinstance(parameters, dict) or not all(isinstance(value, str) for value in parameters.values()):
        raise FormatError(f"{path}: hyperparameters is not an object of strings")
    if unknown := sorted(parameters.keys() - _PARAMETERS):
        raise FormatError(f"{path}: hyperparameters: unknown parameter {unknown[0]!r}")
    for name, choices in {"gru_variant": ("reset_before", "reset_after"), "input": ("last", "history"),
                          "constrained_embedding": _TRUE + _FALSE, "deep_input": _TRUE + _FALSE}.items():
        if name in parameters and parameters[name] not in choices:
            raise FormatError(f"{path}: {name} = {parameters[name]!r}, expected {' or '.join(choices)}")
    layers, embedding = parameters.get("layers", "100"), parameters.get("embedding", "0")
    if layers.count("/") >= n_tensors:
        raise FormatError(f"{path}: hyperparameters: there are more layers than tensors")
    if not all(1 <= _whole(units) <= _MAX_WIDTH for units in layers.split("/")):
        raise FormatError(f"{path}: layers = {layers!r}, expected whole numbers from 1 to {_MAX_WIDTH}, a/b/c")
    if embedding != "layersize" and not 0 <= _whole(embedding) <= _MAX_WIDTH:
        raise FormatError(f"{path}: embedding = {embedding!r}, expected a whole number from 0 to {_MAX_WIDTH}, or "
                          "layersize")
    return parameters


def _check_together(path: str, model: ModelFile) -> None:
    """Raises FormatError if parameters contradict each other: docs/parameters.md."""
    embedding, activation = model.parameters.get("embedding", "0"), model.parameters.get("hidden_act", "tanh")
    if model.shared_input and (embedding == "layersize" or int(embedding) != 0):
        raise FormatError(f"{path}: embedding = {embedding!r}, expected 0 if constrained_embedding is true")
    if model.deep_input and len(model.layers) == 1:
        raise FormatError(f"{path}: deep_input is true, expected false with one layer")
    if model.reset_after and activation != "tanh":
        raise FormatError(f"{path}: hidden_act = {activation!r}, expected tanh with gru_variant = reset_after")


def _weights(path: str, name: str, entry: _Entry, values: memoryview) -> Floats:
    """The values of a tensor as float32, all of them finite."""
    stored = np.frombuffer(values[entry.begin:entry.begin + entry.n_bytes], _TYPES[entry.dtype])
    with np.errstate(over="ignore"):
        weights = stored.astype(np.float32).reshape(entry.shape)
    if not np.isfinite(weights).all():
        raise FormatError(f"{path}: tensor {name}: a weight is not finite as a float")
    return weights
