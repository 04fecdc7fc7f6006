"""Compares states and scores of the exported network with a twin in double precision, and with the program."""
import json

import numpy as np
import pytest
from running import Network, assert_close, read_sessions  # before onnx, which may be missing
from step_twin import Twin

import onnx

INPUTS = {"one-hot": "constrained_embedding=false", "shared": "constrained_embedding=true",
          "embedding": "constrained_embedding=false,embedding=12",
          "layersize": "constrained_embedding=false,embedding=layersize"}
SHAPES = {"one layer": "layers=16", "two layers": "layers=16/13",
          "three layers, deep": "layers=16/13/10,deep_input=true"}
ACTIVATIONS = ["linear", "relu", "leaky-0.2", "elu-0.7", "selu-1.05-1.67", "selu-1e-1-0.5"]
MODELS = {f"{cell}, {input_}, {shape}": f"gru_variant={cell},{INPUTS[input_]},{SHAPES[shape]}"
          for cell in ("reset_before", "reset_after") for input_ in INPUTS for shape in SHAPES}
MODELS |= {f"hidden_act {name}": f"layers=16/13,hidden_act={name},learning_rate=0.02" for name in ACTIVATIONS}
MODELS |= {"trained in double": "layers=16"}


def model_of(program, name):
    return program.model(MODELS[name], *(["--precision", "double"] if "double" in name else []))


def random_steps(network, twin):
    """Random states, and rows for twelve steps, for batches of several sizes."""
    random = np.random.default_rng(7)
    for n_sessions in (1, 5, 32):
        states = [random.uniform(-1, 1, state.shape).astype(np.float32) for state in network.start(n_sessions)]
        yield states, random.integers(len(twin.items), size=(12, n_sessions))


def assert_each_step_equals_twin(network, model):
    """Every step starts from the same states on both sides."""
    twin = Twin(model)
    for states, steps in random_steps(network, twin):
        for rows in steps:
            expected, expected_scores = twin.step([state.astype(float) for state in states], rows)
            states, (scores,) = network.step(states, rows)
            assert len(states) == len(expected)
            for found, state in zip(states, expected):
                assert_close(found, state)
            assert_close(scores, expected_scores)


def assert_sessions_equal_twin(network, model):
    """Every step starts from the states that each side has computed."""
    twin = Twin(model)
    for states, steps in random_steps(network, twin):
        expected = [state.astype(float) for state in states]
        for rows in steps:
            states, (scores,) = network.step(states, rows)
            expected, expected_scores = twin.step(expected, rows)
            assert len(states) == len(expected)
            for found, state in zip(states, expected):
                assert_close(found, state)
            assert_close(scores, expected_scores)


def assert_scores_of_program(network, program, model, sessions_file):
    """The scores of all items after each session."""
    row = {item: i for i, item in enumerate(network.items)}
    sessions = {session: [row[item] for item in items if item in row]
                for session, items in read_sessions(sessions_file).items()}
    sessions = {session: rows for session, rows in sessions.items() if rows}
    lists = program.lists(model, sessions_file, len(network.items))
    played = network.play(list(sessions.values()))
    assert len(played) == len(sessions)
    for session, scores in zip(sessions, played):
        expected = np.empty(len(network.items))
        for item, score in lists[session]:
            expected[row[item]] = score
        assert_close(scores, expected)


@pytest.mark.parametrize("name", MODELS)
def test_states_and_scores_are_those_of_the_equations(program, tmp_path, name):
    model = model_of(program, name)
    network = Network(model, tmp_path)
    assert_each_step_equals_twin(network, model)
    assert_sessions_equal_twin(network, model)


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_the_program(program, tmp_path, name):
    model = model_of(program, name)
    assert_scores_of_program(Network(model, tmp_path), program, model, program.shop())


@pytest.mark.parametrize("run", ["toy_bprmax_embedding", "toy_bprmax_tied_2layers", "toy_xe_onehot",
                                 "toy_xe_tied_logq"])
def test_weights_of_the_reference_implementation_give_the_same_states_and_scores(program, golden, tmp_path, run):
    folder = golden / run
    parameters = tmp_path / "parameters.json"
    parameters.write_text(json.dumps(json.loads((folder / "expected.json").read_text())["params"]))
    model = tmp_path / "model.safetensors"
    program("import", folder / "final.safetensors", "--param-file", parameters, "--save", model)
    network = Network(model, tmp_path)
    # Single steps only: in some steps, the weights of one-hot input magnify the rounding of a state tenfold.
    assert_each_step_equals_twin(network, model)
    items, random = network.items, np.random.default_rng(3)
    sessions = tmp_path / "sessions.tsv"
    sessions.write_text("SessionId\tItemId\tTime\n" + "".join(
        f"{session}\t{items[random.integers(len(items))]}\t{event}\n" for session in range(20) for event in range(6)))
    assert_scores_of_program(network, program, model, sessions)


@pytest.mark.parametrize("top_k", [None, 5])
def test_the_network_is_valid_onnx(program, tmp_path, top_k):
    for name in MODELS:
        network = Network(model := model_of(program, name), tmp_path, top_k)
        onnx.checker.check_model(tmp_path / f"{model.stem}_{top_k}.onnx", full_check=True)
        assert network.widths == Twin(model).layers


@pytest.mark.parametrize("top_k", [None, 5])
@pytest.mark.parametrize("row", [-1, -70, "V", "V + 1"])
def test_a_row_out_of_range_is_an_error(program, tmp_path, top_k, row):
    for name in ("reset_before, shared, one layer", "reset_after, one-hot, one layer"):
        network = Network(model_of(program, name), tmp_path, top_k)
        row = len(network.items) + row.count("1") if isinstance(row, str) else row
        more = {"exclude": np.zeros((1, 0), np.int64)} if top_k else {}
        with pytest.raises(Exception, match="out of data bounds"):
            network.step(network.start(1), [row], **more)
