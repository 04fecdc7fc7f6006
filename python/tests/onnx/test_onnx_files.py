"""Files: metadata, damage, models that cannot be exported, and the command."""
import errno
import json
import os
import pathlib
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from running import Network, assert_close  # before onnx, which may be missing
from step_twin import Twin

import onnx
from gru4rec.onnx import FormatError, export, read_model

SMALL = "layers=16"


def changed_header(source, destination, change):
    """A copy whose header was changed, without a content hash."""
    content = source.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    header["__metadata__"].pop("content_hash", None)
    change(header)
    text = json.dumps(header).encode()
    destination.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length:])
    return destination


def set_parameter(name, value):
    def change(header):
        parameters = json.loads(header["__metadata__"]["hyperparameters"])
        header["__metadata__"]["hyperparameters"] = json.dumps(parameters | {name: value})
    return change


def set_entry(header, name, row, value):
    """Changes the value of one item."""
    values = header["__metadata__"][name].split("\t")
    header["__metadata__"][name] = "\t".join([*values[:row], value, *values[row + 1:]])


def test_the_metadata_are_those_of_the_model_file(program, tmp_path):
    model = program.model(SMALL)
    network, twin = Network(model, tmp_path, 7), Twin(model)
    assert network.items == twin.items
    assert json.loads(network.metadata["hyperparameters"])["layers"] == "16"
    assert network.metadata["supports"].count("\t") == len(twin.items) - 1
    assert network.metadata["content_hash"] == json.loads(program("inspect", model, "--json"))["content_hash"]
    assert network.metadata["top_k"] == "7"
    assert "top_k" not in Network(model, tmp_path).metadata


def test_the_batch_is_dynamic(program, tmp_path):
    export(program.model(SMALL), tmp_path / "m.onnx", 5)
    graph = onnx.load(tmp_path / "m.onnx").graph
    for value in (*graph.input, *graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_same_model_gives_the_same_bytes(program, tmp_path):
    for name in ("a.onnx", "b.onnx"):
        export(program.model(SMALL), tmp_path / name, 5)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_changed_byte_is_noticed(program, tmp_path):
    content = program.model(SMALL).read_bytes()
    path = tmp_path / "damaged.safetensors"
    random = np.random.default_rng(1)
    for at in [*range(0, 600, 7), *random.integers(len(content), size=150), len(content) - 1]:
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << int(at) % 8]) + content[at + 1:])
        try:
            read = read_model(path)
        except FormatError as error:
            assert str(path) in str(error)
            continue
        # Padding of the header, or a name of an entry that the file need not have, such as the hash.
        assert read.items == read_model(program.model(SMALL)).items


def test_a_cut_file_is_refused(program, tmp_path):
    content = program.model(SMALL).read_bytes()
    path = tmp_path / "cut.safetensors"
    for size in [*range(0, 400, 3), *range(400, len(content), 997), len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(FormatError, match="cut.safetensors"):
            read_model(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(FormatError, match="1 bytes follow the last tensor"):
        read_model(path)


def set_offsets(name, begin, end):
    return lambda header: header[name].update(data_offsets=[begin, end])


@pytest.mark.parametrize("change, message", [
    (lambda header: header.pop("__metadata__"), "format = None"),
    (lambda header: header["__metadata__"].update(format="pt"), "expected 'gru4rec'.*gru4rec import"),
    (lambda header: header["__metadata__"].update(format_version="1"), "gru4rec import OLD --save NEW"),
    (lambda header: header["__metadata__"].update(items="a\ta"), "occurs twice"),
    (lambda header: header["__metadata__"].update(items="a\tb", supports="1\t1"),
     r"shape \[\d+, 16\], expected \[2, 16\]"),
    (lambda header: header["__metadata__"].update(items=3), "not an object of strings"),
    (lambda header: header["__metadata__"].pop("supports"), "no entry supports"),
    (lambda header: header["__metadata__"].update(hyperparameters="["), "hyperparameters is not valid JSON"),
    (lambda header: header["__metadata__"].update(hyperparameters="{}"), r"expected \[\d+, 100\]"),
    (lambda header: header["__metadata__"].update(supports=""), "supports: item 1: expected a whole number"),
    (lambda header: set_entry(header, "supports", 0, "x"), "supports: item 1: expected a whole number.* found 'x'"),
    (lambda header: set_entry(header, "supports", 2, "-1"), "supports: item 3: expected a whole number, 0 or more"),
    (lambda header: set_entry(header, "supports", 0, "\u0668"), "supports: item 1"),
    (lambda header: set_entry(header, "supports", 0, str(1 << 63)), "supports: item 1"),
    (lambda header: set_entry(header, "supports", 0, "1\t1"), r"supports: expected \d+ numbers"),
    (lambda header: set_entry(header, "items", 0, "a\nb"), "items: an id contains CR, LF or NUL"),
    (lambda header: set_entry(header, "items", 0, ""), "items: an id is empty"),
    (set_parameter("no_parameter", "1"), "unknown parameter 'no_parameter'"),
    (set_parameter("layers", "\u0661\u0666"), "layers = .*, expected whole numbers"),
    (set_parameter("layers", " 16"), "layers = ' 16', expected whole numbers"),
    (set_parameter("layers", "1_6"), "layers = '1_6', expected whole numbers"),
    (set_parameter("layers", "16/x"), "whole numbers"),
    (set_parameter("embedding", "5"), "embedding = '5', expected 0 if constrained_embedding is true"),
    (set_parameter("embedding", "layersize"), "expected 0 if constrained_embedding is true"),
    (set_parameter("embedding", "-1"), "embedding = '-1', expected a whole number"),
    (set_parameter("deep_input", "true"), "deep_input is true, expected false with one layer"),
    (set_parameter("hidden_act", "elu-\u0661"), "expected linear"),
    (set_parameter("layers", "16/16"), "tensor G.1.Bh is missing"),
    (set_parameter("layers", "/".join(["1"] * 200_000)), "more layers than tensors"),
    (set_parameter("layers", "9" * 4000), "from 1 to 65536"),
    (set_parameter("layers", "0"), "from 1 to 65536"),
    (set_parameter("gru_variant", "lstm"), "gru_variant = 'lstm', expected reset_before or reset_after"),
    (set_parameter("hidden_act", "elu"), "hidden_act = 'elu', expected linear"),
    (set_parameter("hidden_act", "selu-0-1"), "above 0"),
    (lambda header: header["By.weight"].update(dtype="I64"), "By.weight: dtype = 'I64'"),
    (lambda header: header["By.weight"].update(dtype=["F32"]), "By.weight: dtype = "),
    (lambda header: header["By.weight"].update(shape=[-1, -70]), "whole numbers, 0 or more"),
    (lambda header: header["By.weight"].update(shape=[10**3000, 10**3000]), "whole numbers, 0 or more"),
    (lambda header: header["By.weight"].update(shape=[70, 1, 1]), "at most 2 dimensions"),
    (lambda header: header["__metadata__"].update(more="\ud800"), "not valid JSON"),
    (lambda header: header["By.weight"].update(shape=[1 << 62, 1 << 62]), "takes"),
    (lambda header: header.update({"By.weight": 5}), "expected dtype, shape and two data_offsets"),
    (set_offsets("Wy.weight", 0, 64), "Wy.weight: shape"),
])
def test_a_wrong_header_is_refused(program, tmp_path, change, message):
    path = changed_header(program.model(SMALL), tmp_path / "wrong.safetensors", change)
    with pytest.raises(FormatError, match=message):
        export(path, tmp_path / "wrong.onnx")
    assert os.listdir(tmp_path) == ["wrong.safetensors"]


def test_an_activation_of_the_other_cell_is_refused(program, tmp_path):
    path = changed_header(program.model("layers=16,gru_variant=reset_after"), tmp_path / "wrong.safetensors",
                          set_parameter("hidden_act", "relu"))
    with pytest.raises(FormatError, match="hidden_act = 'relu', expected tanh with gru_variant = reset_after"):
        read_model(path)


@pytest.mark.parametrize("name, value", [
    ("constrained_embedding", "1"), ("constrained_embedding", "True"), ("deep_input", "0"), ("deep_input", "False"),
    ("layers", "016"), ("embedding", "00")])
def test_values_are_read_as_by_the_program(program, tmp_path, name, value):
    path = changed_header(program.model(SMALL), tmp_path / "other.safetensors", set_parameter(name, value))
    program("inspect", path)
    read = read_model(path)
    assert (read.layers, read.shared_input, read.deep_input, read.embedding) == ([16], True, False, 0)


def test_the_parameters_are_those_of_the_documentation():
    table = pathlib.Path(__file__).parents[3].joinpath("docs", "parameters.md").read_text(encoding="utf-8")
    names = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert sys.modules["gru4rec.onnx.model_file"]._PARAMETERS == names


def test_overlapping_tensors_are_refused(program, tmp_path):
    def overlap(header):
        header["G.0.Bh"]["data_offsets"] = [0, 192]
    with pytest.raises(FormatError, match="without gaps"):
        read_model(changed_header(program.model(SMALL), tmp_path / "wrong.safetensors", overlap))


def test_a_weight_that_is_not_finite_is_refused(program, tmp_path):
    twin = Twin(program.model(SMALL))
    twin.w["By.weight"][3] = np.nan
    with pytest.raises(FormatError, match="By.weight: a weight is not finite"):
        read_model(twin.save(tmp_path / "nan.safetensors"))


def test_a_weight_beyond_the_range_of_float_is_refused(program, tmp_path):
    content = program.model(SMALL, "--precision", "double").read_bytes()
    path = tmp_path / "large.safetensors"
    (length,) = struct.unpack("<Q", content[:8])
    path.write_bytes(content[:8 + length] + struct.pack("<d", 1e300) + content[16 + length:])
    changed_header(path, path, lambda header: None)
    with pytest.raises(FormatError, match="not finite as a float"):
        read_model(path)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/null", str(tmp_path), str(tmp_path / "pipe")):
        # In a process of its own: a pipe that is opened would block.
        done = command(path, tmp_path / "m.onnx")
        assert (done.returncode, done.stderr) == (
            3, f"gru4rec.onnx: {path}: not a regular file, expected a model file\n")


def test_histories_are_refused(program, tmp_path):
    model = program.model("layers=16,input=history")
    with pytest.raises(ValueError, match="input = history, only input=last can be exported"):
        export(model, tmp_path / "m.onnx")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("top_k", [0, -1, 10_000])
def test_a_list_longer_than_the_catalogue_is_refused(program, tmp_path, top_k):
    with pytest.raises(ValueError, match=f"top_k = {top_k}, must satisfy 1 <= top_k"):
        export(program.model(SMALL), tmp_path / "m.onnx", top_k)


@pytest.mark.parametrize("top_k", [True, False, 2.0, "2"])
def test_a_length_that_is_not_an_integer_is_refused(program, tmp_path, top_k):
    with pytest.raises(TypeError, match=f"top_k = {top_k!r}, expected an integer or None"):
        export(program.model(SMALL), tmp_path / "m.onnx", top_k)
    assert not os.listdir(tmp_path)


def test_a_length_may_be_an_integer_of_numpy(program, tmp_path):
    export(program.model(SMALL), tmp_path / "int.onnx", 2)
    for number in (np.int64(2), np.uint8(2)):
        export(program.model(SMALL), tmp_path / "numpy.onnx", number)
        assert (tmp_path / "numpy.onnx").read_bytes() == (tmp_path / "int.onnx").read_bytes()


def test_a_failed_export_leaves_the_old_file(program, tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_text("old")
    def full_disk(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(onnx, "save_model", full_disk)
    with pytest.raises(OSError, match="No space"):
        export(program.model(SMALL), path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["m.onnx"]


def test_only_a_file_other_than_the_model_is_replaced(program, tmp_path):
    model = tmp_path / "m.safetensors"
    model.write_bytes(program.model(SMALL).read_bytes())
    (tmp_path / "link").symlink_to(model)
    for path in (model, tmp_path / "link"):
        with pytest.raises(ValueError, match="would overwrite the model"):
            export(model, path)
    assert model.read_bytes() == program.model(SMALL).read_bytes()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OSError, match="not a file that can be replaced"):
            export(model, path)
    assert sorted(os.listdir(tmp_path)) == ["link", "m.safetensors", "pipe"]


def test_a_symbolic_link_is_followed(program, tmp_path):
    model, folder = program.model(SMALL), tmp_path / "folder"
    folder.mkdir()
    export(model, tmp_path / "expected.onnx")
    (tmp_path / "link.onnx").symlink_to("folder/m.onnx")
    for old in (None, "old"):
        if old:
            (folder / "m.onnx").write_text(old)
        export(model, tmp_path / "link.onnx")
        assert (tmp_path / "link.onnx").is_symlink() and os.listdir(folder) == ["m.onnx"]
        assert (folder / "m.onnx").read_bytes() == (tmp_path / "expected.onnx").read_bytes()
    (tmp_path / "circle.onnx").symlink_to("circle.onnx")
    with pytest.raises(OSError, match="circle.onnx"):
        export(model, tmp_path / "circle.onnx")
    assert (tmp_path / "circle.onnx").is_symlink()


def test_an_empty_path_is_refused(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="the path of the ONNX file is empty"):
        export(program.model(SMALL), "")
    assert not os.listdir(tmp_path)


def test_an_error_names_the_destination(program, tmp_path):
    for path in ("/proc/m.onnx", str(tmp_path / "none" / "m.onnx"), str(tmp_path / ("m" * 300))):
        with pytest.raises(OSError) as caught:
            export(program.model(SMALL), path)
        assert caught.value.filename == path and ".tmp" not in str(caught.value)


def test_large_weights_go_to_a_file_of_their_own(program, tmp_path, monkeypatch):
    model = program.model(SMALL)
    expected = Network(model, tmp_path)
    monkeypatch.setattr(sys.modules["gru4rec.onnx.export"], "_MAX_EMBEDDED", 1000)
    (tmp_path / "large").mkdir()
    export(model, tmp_path / "large" / "m.onnx")
    assert sorted(os.listdir(tmp_path / "large")) == ["m.onnx", "m.onnx.weights"]
    assert (tmp_path / "large" / "m.onnx").stat().st_size < 10_000
    found = Network(model, tmp_path)
    found.load(tmp_path / "large" / "m.onnx")
    rows = [0, 5, 9]
    assert_close(found.step(found.start(3), rows)[1][0], expected.step(expected.start(3), rows)[1][0])


def command(*arguments):
    return subprocess.run([sys.executable, "-m", "gru4rec.onnx", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def test_the_command_writes_what_the_function_writes(program, tmp_path):
    model = program.model(SMALL)
    export(model, tmp_path / "function.onnx", 5)
    done = command(model, tmp_path / "command.onnx", "--top-k", 5)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "command.onnx").read_bytes() == (tmp_path / "function.onnx").read_bytes()
    command(model, tmp_path / "command.onnx")
    export(model, tmp_path / "function.onnx")
    assert (tmp_path / "command.onnx").read_bytes() == (tmp_path / "function.onnx").read_bytes()


def test_the_command_says_in_one_line_what_is_wrong(program, tmp_path):
    for arguments, status, message in [
            ((tmp_path / "none", tmp_path / "m.onnx"), 3, "none: No such file"),
            ((program.shop(), tmp_path / "m.onnx"), 2, "not a safetensors file"),
            ((program.model(SMALL), tmp_path / "no" / "m.onnx"), 3, "m.onnx: cannot write: its folder"),
            ((program.model(SMALL), tmp_path / "m.onnx", "--top-k", 0), 2, "top_k = 0, must satisfy")]:
        done = command(*arguments)
        assert done.returncode == status and message in done.stderr and done.stderr.count("\n") == 1, done
