"""Builds the graph of one step. V is the number of items, H the units of a layer, k the length of a list."""
from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gru4rec.onnx.activation import Activation, parse_activation
from gru4rec.onnx.model_file import Floats, ModelFile, tensor_names

# Versions from 2022, so that older runtimes can read the files, too.
OPSET = 17
IR_VERSION = 8


def build_graph(model: ModelFile, top_k: int | None) -> onnx.GraphProto:
    """The step network: docs/onnx.md names its inputs and outputs."""
    return _Builder(model, top_k).build()


class _Builder:
    """Collects the nodes and weights of a graph. Methods that add nodes return the name of the output."""

    def __init__(self, model: ModelFile, top_k: int | None) -> None:
        self._model = model
        self._top_k = top_k
        self._activation: Activation = parse_activation(model.parameters.get("hidden_act", "tanh"))
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def build(self) -> onnx.GraphProto:
        layers = self._model.layers
        inputs = [helper.make_tensor_value_info("item", TensorProto.INT64, ["batch"])]
        inputs += [_floats(f"state_{layer}", units) for layer, units in enumerate(layers)]
        outputs = [_floats(f"next_state_{layer}", units) for layer, units in enumerate(layers)]
        n_items = self._constant("n_items", len(self._model.items))
        # Out of range even if the output table has an extra row: _output_table().
        no_row = self._constant("no_row", len(self._model.items) + 1)
        # ONNX counts negative rows from the end. Here they must be errors, like rows beyond the end.
        below = self._add("Less", "item", self._constant("zero", 0))
        beyond = self._add("GreaterOrEqual", "item", n_items)
        row = self._add("Where", self._add("Or", below, beyond), no_row, "item")
        h = self._layers(row)
        scores = self._add("Gemm", h, self._output_table(), self._output_bias(), transB=1,
                           to="" if self._top_k else "scores")
        if self._top_k:
            inputs.append(helper.make_tensor_value_info("exclude", TensorProto.INT64, ["batch", "n_excluded"]))
            outputs += [helper.make_tensor_value_info("items", TensorProto.INT64, ["batch", self._top_k]),
                        _floats("scores", self._top_k)]
            self._top(scores, n_items, no_row)
        else:
            outputs.append(_floats("scores", len(self._model.items)))
        return helper.make_graph(self._nodes, "gru4rec step", inputs, outputs, list(self._weights.values()))

    def _layers(self, row: str) -> str:
        """All layers, bottom to top. Returns the output of the last one."""
        model = self._model
        x = "" if model.one_hot else self._add("Gather", self._input_table(), row)
        below = ""
        for layer in range(len(model.layers)):
            names = tensor_names(layer, model.one_hot, model.reset_after)
            gets_input = layer == 0 or model.deep_input
            gathered = self._add("Gather", self._tensor(names["table"]), row) if model.one_hot and gets_input else ""
            dense = [part for part in (below, x if gets_input else "") if part]
            joined = self._add("Concat", *dense, axis=1) if len(dense) > 1 else "".join(dense)
            cell = self._reset_after if model.reset_after else self._reset_before
            below = cell(layer, names, gathered, joined)
        return below

    def _gates(self, gathered: str, product: str, bias: str) -> str:
        """The input's part of the gates: the gathered row, the product (which contains the bias), or their sum."""
        if not product:
            return self._add("Add", gathered, bias)
        return self._add("Add", gathered, product) if gathered else product

    def _reset_before(self, layer: int, names: dict[str, str], gathered: str, x: str) -> str:
        """The cell of the papers, with blocks candidate, r, z: docs/model.md#cells."""
        units, state = self._model.layers[layer], f"state_{layer}"
        bias = self._tensor(names["bias"])
        product = self._add("Gemm", x, self._tensor(names["input"]), bias) if x else ""
        candidate, gates = self._split(self._gates(gathered, product, bias), units, 2 * units)
        gates = self._add("Add", gates, self._add("MatMul", state, self._tensor(names["gates"])))
        r, z = self._split(self._add("Sigmoid", gates), units, units)
        from_state = self._add("MatMul", self._add("Mul", r, state), self._tensor(names["candidate"]))
        c = self._add("Add", candidate, from_state)
        if self._activation.operator:
            c = self._add(self._activation.operator, c, **self._activation.attributes)
        # h' = h + z (c - h)
        step = self._add("Mul", z, self._add("Sub", c, state))
        return self._add("Add", state, step, to=f"next_{state}")

    def _reset_after(self, layer: int, names: dict[str, str], gathered: str, x: str) -> str:
        """The cell of cuDNN and PyTorch, with blocks r, z, n; the candidate's activation is always tanh."""
        units, state = self._model.layers[layer], f"state_{layer}"
        bias = self._tensor(names["bias"])
        product = self._add("Gemm", x, self._tensor(names["input"]), bias, transB=1) if x else ""
        gates, candidate = self._split(self._gates(gathered, product, bias), 2 * units, units)
        from_state = self._add("Gemm", state, self._tensor(names["state"]), self._tensor(names["state_bias"]), transB=1)
        gates_from_state, q = self._split(from_state, 2 * units, units)
        r, z = self._split(self._add("Sigmoid", self._add("Add", gates, gates_from_state)), units, units)
        n = self._add("Tanh", self._add("Add", candidate, self._add("Mul", r, q)))
        # h' = n + z (h - n)
        step = self._add("Mul", z, self._add("Sub", state, n))
        return self._add("Add", n, step, to=f"next_{state}")

    def _input_table(self) -> str:
        return self._output_table() if self._model.shared_input else self._tensor("E.weight")

    def _output_table(self) -> str:
        """W_y. With lists it gets an extra row of zeros, whose score is -inf: requests exclude different numbers of
        items, and the padding of shorter rows excludes this row. So the scores need no padding."""
        return self._tensor("Wy.weight", extra_row=0.0)

    def _output_bias(self) -> str:
        return self._tensor("By.weight", extra_row=-np.inf, flat=True)

    def _top(self, scores: str, n_items: str, no_row: str) -> None:
        """Lists of the k best items that are not excluded, filled up with -1 if too few are left."""
        minus_one = self._constant("minus_one", -1)
        infinite = self._weight("minus_infinity", np.array(-np.inf, np.float32))
        # In exclude, -1 is padding; any other row out of range must be a runtime error.
        none = self._add("Equal", "exclude", minus_one)
        below = self._add("Less", "exclude", minus_one)
        outside = self._add("Or", below, self._add("GreaterOrEqual", "exclude", n_items))
        row = self._add("Where", none, n_items, self._add("Where", outside, no_row, "exclude"))
        updates = self._add("Expand", infinite, self._add("Shape", "exclude"))
        left = self._add("ScatterElements", scores, row, updates, axis=1)
        k = self._weight("k", np.array([self._top_k], np.int64))
        self._nodes.append(helper.make_node("TopK", [left, k], ["scores", "rows"], name="TopK", axis=1))
        self._add("Where", self._add("Equal", "scores", infinite), minus_one, "rows", to="items")

    def _split(self, value: str, *widths: int) -> tuple[str, ...]:
        """Splits a matrix into blocks of columns of these widths."""
        sizes = self._weight("_".join(map(str, ("split", *widths))), np.array(widths, np.int64))
        names = tuple(f"v{len(self._nodes)}_{part}" for part in range(len(widths)))
        self._nodes.append(helper.make_node("Split", [value, sizes], names, name=f"Split_{len(self._nodes)}", axis=1))
        return names

    def _add(self, operator: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Adds a node whose output is named `to`, or gets a new name. Returns the name."""
        name = to or f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name=f"{operator}_{len(self._nodes)}",
                                            **attributes))
        return name

    def _tensor(self, name: str, extra_row: float | None = None, flat: bool = False) -> str:
        """A tensor of the model. If the network lists items, it gets one more row, filled with `extra_row`."""
        if name in self._weights:
            return name
        values: Floats = self._model.tensors[name]
        if extra_row is not None and self._top_k:
            values = np.concatenate([values, np.full((1, values.shape[1]), extra_row, np.float32)])
        return self._weight(name, values.ravel() if flat else values)

    def _constant(self, name: str, value: int) -> str:
        return self._weight(name, np.array(value, np.int64))

    def _weight(self, name: str, values: NDArray[Any]) -> str:
        if name not in self._weights:
            self._weights[name] = numpy_helper.from_array(values, name)
        return name


def _floats(name: str, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
