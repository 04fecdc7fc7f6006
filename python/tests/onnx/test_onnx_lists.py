"""Lists of the best items, compared with the program's, with and without excluded items."""
import ast
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from running import Network, assert_close, read_sessions  # before gru4rec.onnx, which needs onnx
from step_twin import Twin

from gru4rec.onnx import export

TOP = 20


@pytest.fixture(scope="module")
def big(program):
    """A model of 2,000 items, and the 10,000 sessions that it learnt from."""
    sessions = program.shop(10_000, 2_000)
    model = program.folder / "big.safetensors"
    program("train", sessions, "--params", "layers=64,n_epochs=2,n_sample=256,batch_size=64", "--save", model)
    return model, sessions


def excluded(rows):
    """Rows to exclude as the network takes them: padded with -1."""
    width = max(map(len, rows), default=0)
    return np.array([[*row, *[-1] * (width - len(row))] for row in rows], np.int64).reshape(len(rows), width)


def test_the_lists_of_10000_sessions_are_those_of_the_program(program, big, tmp_path, record_property):
    model, file = big
    network = Network(model, tmp_path)
    row = {item: i for i, item in enumerate(network.items)}
    sessions = {session: [row[item] for item in items] for session, items in read_sessions(file).items()}
    assert len(sessions) == 10_000
    lists = program.lists(model, file, TOP)
    n_different = 0
    played = network.play(list(sessions.values()))
    assert len(played) == len(sessions)
    for session, scores in zip(sessions, played):
        best = np.argsort(-scores, kind="stable")[:TOP]
        expected_rows = np.array([row[item] for item, _ in lists[session]])
        expected = np.array([score for _, score in lists[session]])
        # Equal rank by rank and item by item. So if two lists differ, the program's scores of both items are as close
        # as the rounding of a sum of 64 products allows.
        assert_close(scores[best], expected)
        assert_close(scores[expected_rows], expected)
        n_different += not np.array_equal(best, expected_rows)
    print(f"{10_000 - n_different} of 10000 lists of {TOP} are the same; in the others, items of equal score (within "
          "1e-5) changed places")
    record_property("different_lists", n_different)
    assert n_different <= 20


def test_the_lists_in_the_graph_are_those_of_the_scores_without_excluded_items(program, big, tmp_path):
    model, file = big
    network, top = Network(model, tmp_path), Network(model, tmp_path, TOP)
    random, n = np.random.default_rng(5), 300
    row = {item: i for i, item in enumerate(network.items)}
    sessions = [[row[item] for item in items] for items in list(read_sessions(file).values())[:n]]
    states = network.start(n)
    first = [session[0] for session in sessions]
    next_states, (scores,) = network.step(states, first)
    popular = np.argsort(-scores.mean(axis=0))[:100]
    # Excludes none, a few or many of the items that would be listed, some of them twice.
    out = [[*session, *random.choice(popular, size=random.integers(0, 60))] if s % 3 else []
           for s, session in enumerate(sessions)]
    found_states, (items, found) = top.step(states, first, exclude=excluded(out))
    assert_close(found_states[0], next_states[0])
    for s in range(n):
        left = scores[s].copy()
        left[out[s]] = -np.inf
        expected = np.argsort(-left, kind="stable")[:TOP]
        assert_close(found[s], left[expected])
        assert_close(scores[s][items[s]], found[s])
        assert not set(items[s]) & set(out[s])
        assert len(set(items[s])) == TOP


def test_lists_without_exclusions_are_those_of_the_program(program, big, tmp_path):
    model, file = big
    network = Network(model, tmp_path, TOP)
    one = tmp_path / "one.tsv"
    items = [item for session in list(read_sessions(file).values())[:200] for item in session[:1]]
    one.write_text("SessionId\tItemId\tTime\n" + "".join(f"{s}\t{item}\t1\n" for s, item in enumerate(items)))
    lists = program.lists(model, one, TOP)
    rows = [network.items.index(item) for item in items]
    _, (found, scores) = network.step(network.start(len(rows)), rows, exclude=np.zeros((len(rows), 0), np.int64))
    for s in range(len(rows)):
        assert_close(scores[s], np.array([score for _, score in lists[str(s)]]))
        same = [network.items[row] == item for row, (item, _) in zip(found[s], lists[str(s)])]
        assert sum(same) >= TOP - 2  # a swap of two near-equal items


def test_a_list_ends_with_minus_one_if_too_few_items_are_left(program, tmp_path):
    network = Network(program.model("layers=16"), tmp_path, 10)
    n = len(network.items)
    out = [list(range(n - 3)), list(range(n)), []]
    _, (items, scores) = network.step(network.start(3), [0, 1, 2], exclude=excluded(out))
    assert sorted(items[0][:3]) == [n - 3, n - 2, n - 1]
    assert (items[0][3:] == -1).all() and (items[1] == -1).all() and (items[2] >= 0).all()
    assert np.isneginf(scores[0][3:]).all() and np.isfinite(scores[2]).all()


@pytest.mark.parametrize("row", [-2, "V", "V + 1"])
def test_excluding_a_row_out_of_range_is_an_error(program, tmp_path, row):
    network = Network(program.model("layers=16"), tmp_path, 10)
    row = len(network.items) + row.count("1") if isinstance(row, str) else row
    with pytest.raises(Exception, match="out of data bounds"):
        network.step(network.start(1), [0], exclude=np.array([[row]]))


def test_items_of_equal_score_are_listed_by_row(program, tmp_path):
    # All weights of the output are equal, so all scores are.
    twin = Twin(program.model("constrained_embedding=false,embedding=8,layers=16"))
    twin.w["Wy.weight"][:], twin.w["By.weight"][:] = 0.25, 0.5
    network = Network(twin.save(tmp_path / "equal.safetensors"), tmp_path, 10)
    _, (items, scores) = network.step(network.start(1), [3], exclude=np.array([[2, 4]]))
    assert items[0].tolist() == [0, 1, 3, 5, 6, 7, 8, 9, 10, 11]
    assert len(set(scores[0].tolist())) == 1


def test_the_example_of_the_documentation_lists_what_the_program_lists(program, tmp_path):
    page = (pathlib.Path(__file__).parents[3] / "docs" / "onnx.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    session = re.search(r"for item in (\[.*\]):", code)[1]
    model = program.model("layers=100")
    export(model, tmp_path / "lists.onnx", TOP)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    session = ast.literal_eval(session)
    listed = program("recommend", model, "--session", ",".join(session), "--top", 60).splitlines()[1:]
    expected = [item for item in (line.split("\t")[1] for line in listed) if item not in session][:TOP]
    assert ast.literal_eval(done.stdout) == expected
