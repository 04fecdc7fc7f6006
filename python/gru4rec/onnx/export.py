"""Converts a model file to an ONNX file."""
from __future__ import annotations

import errno
import operator
import os
import tempfile
from typing import SupportsIndex

import onnx
from onnx import helper

from gru4rec.onnx.graph import IR_VERSION, OPSET, build_graph
from gru4rec.onnx.model_file import FormatError, ModelFile, read_model

# A protocol buffer can hold at most 2 GB; more bytes of weights than this go to a separate file.
_MAX_EMBEDDED = 1_900_000_000
# Metadata of the model that the ONNX file gets as well.
_COPIED = ("hyperparameters", "items", "supports", "content_hash")


def export(model_path: str | os.PathLike[str], onnx_path: str | os.PathLike[str],
           top_k: SupportsIndex | None = None) -> None:
    """Writes the step network of a model file as ONNX: docs/onnx.md. On an error the destination is left as it was.

    :param model_path: a model file of the current version
    :param onnx_path: the ONNX file; replaced if it exists. A symbolic link is followed
    :param top_k: length of the list of the best items, 1 to the number of items; None: the scores of all items
    :raises TypeError: if top_k is not an integer
    :raises FormatError: if the model file is not valid
    :raises ValueError: if the model cannot be exported, top_k is out of range, both paths are the same file or the
        path of the ONNX file is empty
    :raises OSError: if a file cannot be read or written
    """
    model_name, onnx_name = os.fsdecode(model_path), os.fsdecode(onnx_path)
    _check_destination(model_name, onnx_name)
    length = _length(top_k)
    model = read_model(model_name)
    _check(model_name, model, length)
    try:
        graph = build_graph(model, length)
    except ValueError as error:
        raise FormatError(f"{model_name}: {error}") from None
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                              producer_name="gru4rec", doc_string="One step of a session: docs/onnx.md")
    entries = {name: model.metadata[name] for name in _COPIED if name in model.metadata}
    helper.set_model_props(proto, entries | ({"top_k": str(length)} if length else {}))
    _write(proto, onnx_name)


def _check_destination(model_path: str, path: str) -> None:
    if not path:
        raise ValueError("the path of the ONNX file is empty")
    try:
        os.stat(path)
    except FileNotFoundError:
        return
    if os.path.exists(model_path) and os.path.samefile(model_path, path):
        raise ValueError(f"{path}: the ONNX file would overwrite the model")
    if not os.path.isfile(path):  # such as /dev/null, which root could replace by a file
        raise OSError(errno.EINVAL, "not a file that can be replaced", path)


def _length(top_k: SupportsIndex | None) -> int | None:
    """top_k as an int: it may be an integer of NumPy. True would stand for 1."""
    if top_k is None:
        return None
    if isinstance(top_k, bool) or not hasattr(top_k, "__index__"):
        raise TypeError(f"top_k = {top_k!r}, expected an integer or None")
    return operator.index(top_k)


def _check(path: str, model: ModelFile, top_k: int | None) -> None:
    if model.parameters.get("input", "last") != "last":
        raise ValueError(f"{path}: input = {model.parameters['input']}, only input=last can be exported: the input of "
                         "a step would be several items, not one")
    if top_k is not None and not 1 <= top_k <= len(model.items):
        raise ValueError(f"top_k = {top_k}, must satisfy 1 <= top_k <= {len(model.items)}, the number of items")


def _write(proto: onnx.ModelProto, path: str) -> None:
    """Writes to a temporary folder beside the destination, then renames: a file is written completely or not at all."""
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, f"cannot write: its folder '{folder}' does not exist", path)
    weights = f"{name}.weights"
    size = sum(len(tensor.raw_data) for tensor in proto.graph.initializer)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.tmp") as scratch:
            new = os.path.join(scratch, name)
            if size > _MAX_EMBEDDED:
                onnx.save_model(proto, new, save_as_external_data=True, location=weights, size_threshold=1024)
                os.replace(os.path.join(scratch, weights), os.path.join(folder, weights))
            else:
                onnx.save_model(proto, new)
            os.replace(new, target)
    except OSError as error:  # it names a temporary file, which the caller does not know
        raise OSError(error.errno or errno.EIO, f"cannot write: {error.strerror or error}", path) from error
