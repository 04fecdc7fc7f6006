"""Writes the step network of a GRU4Rec model as ONNX.

    python -m gru4rec.onnx shop.safetensors shop.onnx --top-k 20

Needs the packages numpy and onnx. docs/onnx.md describes the inputs and outputs.
"""
from gru4rec.onnx.export import export
from gru4rec.onnx.model_file import FormatError, ModelFile, read_model

__all__ = ["FormatError", "ModelFile", "export", "read_model"]
