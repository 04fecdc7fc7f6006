"""From a model file to an ONNX file."""
from __future__ import annotations

import errno
import os
import tempfile

import onnx
from onnx import helper

from gru4rec.onnx.graph import build_graph, ir_version, opset
from gru4rec.onnx.model_file import FormatError, ModelFile, read_model

# A protocol buffer has at most 2 GB; weights beyond this many bytes go to a file of their own.
_MAX_EMBEDDED = 1_900_000_000
_COPIED = ("hyperparameters", "items", "supports", "content_hash")


def export(model_path: str | os.PathLike[str], onnx_path: str | os.PathLike[str], top_k: int | None = None) -> None:
    """Writes the step network of a model file as ONNX: docs/onnx.md.

    top_k: None for the scores of all items, or the length of the list of the best items.

    Raises FormatError if the file is not a valid model; ValueError if the model cannot be exported, top_k is out of
    range or both paths are one file; OSError if a file cannot be read or written. The destination is then as it was.
    """
    model_name, onnx_name = os.fspath(model_path), os.fspath(onnx_path)
    _check_destination(model_name, onnx_name)
    model = read_model(model_name)
    _check(model_name, model, top_k)
    try:
        graph = build_graph(model, top_k)
    except ValueError as error:
        raise FormatError(f"{model_name}: {error}") from None
    proto = helper.make_model(graph, opset_imports=[opset()], ir_version=ir_version(), producer_name="gru4rec",
                              doc_string="One step of a session: docs/onnx.md")
    entries = {name: model.metadata[name] for name in _COPIED if name in model.metadata}
    helper.set_model_props(proto, entries | ({"top_k": str(top_k)} if top_k else {}))
    _write(proto, onnx_name)


def _check_destination(model_path: str, path: str) -> None:
    if not os.path.exists(path):
        return
    if os.path.exists(model_path) and os.path.samefile(model_path, path):
        raise ValueError(f"{path}: the ONNX file would overwrite the model")
    if not os.path.isfile(path):  # such as /dev/null, whose name root can give to another file
        raise OSError(errno.EINVAL, "not a file that can be replaced", path)


def _check(path: str, model: ModelFile, top_k: int | None) -> None:
    if model.parameters.get("input", "last") != "last":
        raise ValueError(f"{path}: input = {model.parameters['input']}, only input=last can be exported: the input of "
                         "a step would be the last items of the session, not one")
    if top_k is not None and not (isinstance(top_k, int) and 1 <= top_k <= len(model.items)):
        raise ValueError(f"top_k = {top_k}, must satisfy 1 <= top_k <= {len(model.items)}, the number of items")


def _write(proto: onnx.ModelProto, path: str) -> None:
    """Writes to a temporary folder beside the destination and renames: a file appears as a whole or not at all."""
    folder, name = os.path.split(os.path.abspath(path))
    if not os.path.isdir(folder):  # else the message would name the temporary folder
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
    weights = f"{name}.weights"
    size = sum(len(tensor.raw_data) for tensor in proto.graph.initializer)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.tmp") as scratch:
        new = os.path.join(scratch, name)
        if size > _MAX_EMBEDDED:
            onnx.save_model(proto, new, save_as_external_data=True, location=weights, size_threshold=1024)
            os.replace(os.path.join(scratch, weights), os.path.join(folder, weights))
        else:
            onnx.save_model(proto, new)
        os.replace(new, path)
