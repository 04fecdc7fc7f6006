"""Runs exported networks in onnxruntime. Tests that import this are skipped if a package is missing."""
import numpy as np
import pytest

pytest.importorskip("onnx.helper", reason="onnx is not installed")  # `import onnx` alone might find this folder
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from gru4rec.onnx import export


class Network:
    """The network that is exported from a model file."""

    def __init__(self, model, folder, top_k=None):
        path = folder / f"{model.stem}_{top_k}.onnx"
        export(model, path, top_k)
        self.load(path)

    def load(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # some tests cause errors on purpose
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.metadata = self.session.get_modelmeta().custom_metadata_map
        self.items = self.metadata["items"].split("\t")
        self.widths = [value.shape[1] for value in self.session.get_inputs() if value.name.startswith("state_")]

    def start(self, n_sessions):
        return [np.zeros((n_sessions, units), np.float32) for units in self.widths]

    def step(self, states, rows, **more):
        """Returns the next states, and the list of the other outputs."""
        inputs = {f"state_{layer}": state for layer, state in enumerate(states)}
        outputs = self.session.run(None, inputs | {"item": np.asarray(rows, np.int64)} | more)
        return outputs[:len(states)], outputs[len(states):]

    def play(self, sessions, output=0):
        """An output after the last event of each session; sessions are lists of rows."""
        result = [None] * len(sessions)
        by_length = sorted(range(len(sessions)), key=lambda s: -len(sessions[s]))
        for begin in range(0, len(by_length), 500):
            live = by_length[begin:begin + 500]
            states = self.start(len(live))
            for event in range(len(sessions[live[0]])):
                live = [s for s in live if len(sessions[s]) > event]
                states, outputs = self.step([state[:len(live)] for state in states], [sessions[s][event] for s in live])
                for i, s in enumerate(live):
                    if len(sessions[s]) == event + 1:
                        result[s] = outputs[output][i]
        return result


def assert_close(found, expected):
    """The difference is within 1e-5, relative to values above 1: a float has seven digits."""
    scale = np.maximum(1, np.abs(expected))
    error = np.max(np.abs(found - expected) / scale, initial=0)
    assert error <= 1e-5, f"largest difference {error}"


def read_sessions(path):
    """The item ids of each session, by session id, from a file that `gru4rec synth` wrote."""
    result = {}
    for line in path.read_text().splitlines()[1:]:
        session, item, _ = line.split("\t")
        result.setdefault(session, []).append(item)
    return result
