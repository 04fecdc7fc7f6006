"""The step network in double precision with NumPy: docs/model.md#cells and docs/file_format.md#tensors, to the letter.
Independent of gru4rec.onnx."""
import json
import re
import struct

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def activate(name, x):
    kind, *numbers = re.split(r"(?<!\de)-", name)  # not the dash of 1e-05
    numbers = [float(number) for number in numbers]
    below = np.exp(np.minimum(x, 0)) - 1
    return {"linear": lambda: x, "relu": lambda: np.maximum(x, 0), "tanh": lambda: np.tanh(x),
            "leaky": lambda: np.where(x > 0, x, numbers[0] * x),
            "elu": lambda: np.where(x > 0, x, numbers[0] * below),
            "selu": lambda: np.where(x > 0, numbers[0] * x, numbers[0] * numbers[1] * below)}[kind]()


class Twin:
    """The network of a model file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
            data = file.read()
        self.metadata = header.pop("__metadata__")
        self.parameters = json.loads(self.metadata["hyperparameters"])
        self.items = self.metadata["items"].split("\t")
        self.layers = [int(units) for units in self.parameters["layers"].split("/")]
        self.w = {}
        for name, tensor in header.items():
            begin, end = tensor["data_offsets"]
            values = np.frombuffer(data[begin:end], {"F32": "<f4", "F64": "<f8"}[tensor["dtype"]])
            self.w[name] = values.reshape(tensor["shape"]).astype(float)

    def save(self, path):
        """Writes a model file of float32 tensors, without a content hash."""
        header, data = {}, b""
        for name, values in self.w.items():
            raw = values.astype("<f4").tobytes()
            header[name] = {"dtype": "F32", "shape": list(values.shape),
                            "data_offsets": [len(data), len(data) + len(raw)]}
            data += raw
        header["__metadata__"] = {name: value for name, value in self.metadata.items() if name != "content_hash"}
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        return path

    def step(self, states, rows):
        """Returns the next states, and the scores of all items, (n sessions, n items)."""
        deep = self.parameters["deep_input"] == "true"
        one_hot = self.parameters["constrained_embedding"] == "false" and self.parameters["embedding"] == "0"
        shared = self.parameters["constrained_embedding"] == "true"
        cell = self.reset_after if self.parameters["gru_variant"] == "reset_after" else self.reset_before
        x = np.zeros((len(rows), 0)) if one_hot else self.w["Wy.weight" if shared else "E.weight"][rows]
        below, result = np.zeros((len(rows), 0)), []
        for layer, h in enumerate(states):
            gets_input = layer == 0 or deep
            added = np.zeros((len(rows), 3 * h.shape[1]))
            if one_hot and gets_input:
                first = "GE.weight_ih" if "GE.weight_ih" in self.w else "GE.Wx0.weight"
                added = self.w[first if layer == 0 else f"GE.{layer}.weight"][rows]
            below = cell(layer, one_hot and layer == 0, np.hstack([below, x] if gets_input else [below]), added, h)
            result.append(below)
        return result, below @ self.w["Wy.weight"].T + self.w["By.weight"][:, 0]

    def reset_before(self, layer, first, x, added, h):
        names = ["GE.Wrz0", "GE.Wh0", "GE.Bh0"] if first else [f"G.{layer}.{name}" for name in ("Wrz", "Wh", "Bh")]
        w_rz, w_h, bias = (self.w[name] for name in names)
        sums = bias + added + (0 if first else x @ self.w[f"G.{layer}.Wx"])
        c, r, z = np.split(sums, 3, axis=1)
        r_state, z_state = np.split(h @ w_rz, 2, axis=1)
        r, z = sigmoid(r + r_state), sigmoid(z + z_state)
        c = activate(self.parameters["hidden_act"], c + (r * h) @ w_h)
        return (1 - z) * h + z * c

    def reset_after(self, layer, first, x, added, h):
        prefix = "GE" if first else f"G.{layer}"
        sums = self.w[f"{prefix}.bias_ih"] + added + (0 if first else x @ self.w[f"{prefix}.weight_ih"].T)
        r, z, n = np.split(sums, 3, axis=1)
        r_state, z_state, q = np.split(self.w[f"{prefix}.bias_hh"] + h @ self.w[f"{prefix}.weight_hh"].T, 3, axis=1)
        r, z = sigmoid(r + r_state), sigmoid(z + z_state)
        n = np.tanh(n + r * q)
        return (1 - z) * n + z * h
