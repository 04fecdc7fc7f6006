"""Studies in SQLite and in PostgreSQL: workers side by side, killed, resumed, and what they find.

GRU4REC_PROGRAM names the program. The test of PostgreSQL needs Debian's package postgresql, for a server of its own.
"""
import concurrent.futures
import contextlib
import glob
import json
import os
import pathlib
import secrets
import shlex
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import optuna
import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
from errors import TuneError  # noqa: E402
from search_space import as_text, built_in_spaces, listed, parse_parameters, read_space  # noqa: E402
import worker as worker_module  # noqa: E402
from study import begin, describe, hidden_password, open_storage  # noqa: E402
from training import Setup  # noqa: E402

SMALL = "layers=24,n_epochs=3,n_sample=64"
SLOW = "layers=256,n_epochs=3,n_sample=4096"  # for tests that must meet programs at work
FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


@pytest.fixture(scope="session")
def program():
    path = os.environ.get("GRU4REC_PROGRAM")
    if not path:
        pytest.skip("GRU4REC_PROGRAM does not name the program gru4rec")
    assert os.access(path, os.X_OK), f"GRU4REC_PROGRAM={path} is not a program"
    return os.path.abspath(path)


@pytest.fixture(scope="session")
def data(program, tmp_path_factory):
    """Training and validation files of a made-up shop."""
    folder = tmp_path_factory.mktemp("shop")
    subprocess.run([program, "synth", "train.tsv", "--test", "valid.tsv", "--sessions", "3000", "--items", "120"],
                   cwd=folder, check=True, capture_output=True)
    return [str(folder / "train.tsv"), str(folder / "valid.tsv")]


@contextlib.contextmanager
def postgresql():
    """A private server on a free port of the loopback interface. As root it is another user's: it refuses root."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not folders:
        pytest.skip("there is no PostgreSQL server: apt-get install postgresql")
    user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = tempfile.mkdtemp(prefix="gru4rec-postgresql-")  # not below pytest's folders, which only root may enter
    server = None
    try:
        password = secrets.token_urlsafe(12)
        password_file = pathlib.Path(folder, "password")
        password_file.write_text(password)
        if user:
            shutil.chown(folder, user["user"], user["group"])
            shutil.chown(password_file, user["user"], user["group"])
        subprocess.run([f"{folders[-1]}/initdb", "-D", f"{folder}/data", "-U", "tune", "--auth=scram-sha-256",
                        f"--pwfile={password_file}", "--no-sync"], check=True, capture_output=True, cwd=folder, **user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with open(f"{folder}/log", "wb") as log:
            server = subprocess.Popen([f"{folders[-1]}/postgres", "-D", f"{folder}/data", "-p", str(port), "-c",
                                       "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c",
                                       "fsync=off"], stdout=log, stderr=log, cwd=folder, **user)
        wait_for(lambda: subprocess.run([f"{folders[-1]}/pg_isready", "-h", "127.0.0.1", "-p", str(port)],
                                        capture_output=True).returncode == 0, "PostgreSQL to start")
        yield f"postgresql+psycopg://tune:{password}@127.0.0.1:{port}/postgres"
    finally:
        if server:
            server.send_signal(signal.SIGINT)  # ends connections
            server.wait(60)
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/tune.db"
    else:
        with postgresql() as url:
            yield url


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path}/tune.db"


def wait_for(condition, what, seconds=300, process=None):
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert process is None or process.poll() is None, f"ended before {what}: {process.communicate()[0]}"
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return result


def arguments(command, program, data, storage, *more):
    heartbeat = ["--heartbeat", "1"] if command == "run" else []
    return [sys.executable, str(HERE / "tune.py"), command, *data, "--storage", storage, "--program", program,
            *heartbeat, *(one if isinstance(one, bytes) else str(one) for one in more)]


def start(program, data, storage, *more):
    return subprocess.Popen(arguments("run", program, data, storage, *more), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)


def run(program, data, storage, *more):
    return subprocess.run(arguments("run", program, data, storage, *more), capture_output=True, text=True)


def output_of(process):
    """What it printed until its end."""
    output, _ = process.communicate(timeout=600)
    return output


def trials(storage):
    """All trials of the study; none if it is not there yet."""
    try:
        return optuna.load_study(storage=storage, study_name="gru4rec").trials
    except Exception:  # the tables or the study are not there yet
        return []


def finished(storage):
    return [trial for trial in trials(storage) if trial.state in FINISHED]


def children(process_id):
    with contextlib.suppress(FileNotFoundError):
        tasks = pathlib.Path(f"/proc/{process_id}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]
    return []


def workers_with_program(process_id, program):
    """(worker, program) for every worker that trains at the moment."""
    def is_program(child):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return os.path.realpath(f"/proc/{child}/exe") == os.path.realpath(program)
        return False
    return [(worker, child) for worker in children(process_id) for child in children(worker) if is_program(child)]


def is_running(process_id):
    try:
        return pathlib.Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def assert_is_whole(storage, n_trials, n_workers=2):
    """n trials are finished, the first with the defaults, none is left behind."""
    states = [trial.state for trial in trials(storage)]
    assert n_trials <= len(finished(storage)) <= n_trials + n_workers - 1, states
    assert optuna.trial.TrialState.RUNNING not in states
    complete = [trial for trial in trials(storage) if trial.state == optuna.trial.TrialState.COMPLETE]
    assert sum(trial.user_attrs.get("defaults", False) for trial in complete) == 1
    for trial in complete:
        assert len(trial.intermediate_values) == 3
        assert trial.value == max(trial.intermediate_values.values())
        assert trial.intermediate_values[trial.user_attrs["best_epoch"]] == trial.value


def test_a_killed_worker_stops_its_program_and_the_other_worker_does_its_trial(program, data, storage):
    tune = start(program, data, storage, "--workers", 2, "--threads", 1, "--trials", 10, "--params", SMALL)
    wait_for(lambda: finished(storage), "the first trial", process=tune)
    worker, child = wait_for(lambda: workers_with_program(tune.pid, program), "a training", process=tune)[0]
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not is_running(child), "the end of the killed worker's program", 20)
    output = output_of(tune)
    assert tune.returncode == 0, output
    assert_is_whole(storage, 10)
    cut_short = [trial for trial in trials(storage) if trial.state == optuna.trial.TrialState.FAIL]
    again = {trial.system_attrs.get("failed_trial"): trial for trial in finished(storage)}
    assert len(cut_short) == 1
    assert again[cut_short[0].number].params == cut_short[0].params


def test_a_study_that_was_killed_goes_on_with_the_same_command(program, data, storage):
    options = ["--workers", 2, "--threads", 1, "--trials", 8, "--params", SMALL]
    first = start(program, data, storage, *options)
    wait_for(lambda: len(finished(storage)) >= 2, "two trials", process=first)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    before = {trial.number: trial.value for trial in finished(storage)}
    assert 2 <= len(before) < 8
    second = run(program, data, storage, *options)
    assert second.returncode == 0, second.stderr
    assert_is_whole(storage, 8)
    after = {trial.number: trial.value for trial in finished(storage)}
    assert before.items() <= after.items()
    assert "in postgresql+psycopg://tune@127" in second.stdout or storage.startswith("sqlite")


def test_a_trial_is_marked_only_when_its_death_would_be_seen(data, sqlite, monkeypatch):
    order = []
    heartbeat, mark = optuna.storages.RDBStorage.record_heartbeat, optuna.Trial.set_user_attr
    monkeypatch.setattr(optuna.storages.RDBStorage, "record_heartbeat",
                        lambda *a: (time.sleep(0.5), heartbeat(*a), order.append("heartbeat")))
    monkeypatch.setattr(optuna.Trial, "set_user_attr", lambda trial, *a: (mark(trial, *a), order.append(a[0])))
    monkeypatch.setattr(worker_module.Worker, "_train", lambda *_: 1.0)
    space = read_space(built_in_spaces()["cross-entropy"])
    setup = Setup("gru4rec", [data[0]], data[1], "MRR@20", 42, 1, [])
    storage = open_storage(sqlite, heartbeat=60)
    study = begin(storage, "gru4rec", describe(space, setup))
    worker_module.Worker(study, storage, space, setup, 360).work(1)
    assert order == ["heartbeat", "begun"]


def test_a_waiting_trial_is_taken_by_one_worker(storage, monkeypatch):
    check = optuna.storages.RDBStorage.check_trial_is_updatable  # between the reading and the writing of the state
    monkeypatch.setattr(optuna.storages.RDBStorage, "check_trial_is_updatable",
                        lambda *a: (time.sleep(0.5), check(*a))[1])
    study = optuna.create_study(storage=storage)
    study.enqueue_trial({})
    trial = study.trials[0]._trial_id
    storages = [open_storage(storage, heartbeat=60) for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        taken = threads.map(lambda one: one.set_trial_state_values(trial, optuna.trial.TrialState.RUNNING), storages)
        assert sorted(taken) == [False, True]


def test_commands_on_one_storage_share_the_trials(program, data, storage):
    options = ["--threads", 1, "--trials", 8, "--params", SMALL]
    first = start(program, data, storage, *options)
    second = start(program, data, storage, *options)
    outputs = [output_of(first), output_of(second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert_is_whole(storage, 8)
    done = [{line.split()[1] for line in output.splitlines() if line.startswith("trial ")} for output in outputs]
    assert done[0] and done[1] and not done[0] & done[1]


def test_a_signal_stops_the_programs_and_keeps_their_trials_for_later(program, data, sqlite):
    options = ["--workers", 2, "--threads", 1, "--trials", 6, "--params", SLOW]
    tune = start(program, data, sqlite, *options)
    pairs = wait_for(lambda: found if len(found := workers_with_program(tune.pid, program)) == 2 else None,
                     "trainings", process=tune)
    tune.send_signal(signal.SIGTERM)
    output = output_of(tune)
    assert tune.returncode == 130 and "to continue the study" in output, output
    assert not any(is_running(process) for pair in pairs for process in pair)
    states = [trial.state for trial in trials(sqlite)]
    assert states.count(optuna.trial.TrialState.WAITING) >= 1
    assert optuna.trial.TrialState.RUNNING not in states
    assert run(program, data, sqlite, *options).returncode == 0
    assert_is_whole(sqlite, 6)


# Runs tune.py so that `{statement}` is executed in the middle of the commit that finishes the first trial.
IN_COMMIT = """
import os, signal, sys, time
sys.path.insert(0, sys.argv.pop(1))
import optuna, tune
original = optuna.storages.RDBStorage.set_trial_state_values
def commit(storage, trial_id, state, values=None):
    if state == optuna.trial.TrialState.COMPLETE:
        {statement}
    return original(storage, trial_id, state, values)
optuna.storages.RDBStorage.set_trial_state_values = commit
sys.exit(tune.main(sys.argv[1:]))
"""


def command_in_commit(statement, program, data, storage, *more):
    tune, *rest = arguments("run", program, data, storage, *more)[1:]
    return [sys.executable, "-c", IN_COMMIT.format(statement=statement), os.path.dirname(tune), *rest]


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_during_a_commit_takes_effect_after_it(program, data, sqlite, number):
    """Sent twice, as `timeout` does."""
    kill = f"os.kill(os.getpid(), signal.{number})"
    options = ["--trials", 3, "--params", SMALL]
    done = subprocess.run(command_in_commit(f"{kill}; {kill}", program, data, sqlite, *options), capture_output=True,
                          text=True)
    assert (done.returncode, done.stderr.count("\n")) == (130, 1), done.stderr
    assert "to continue the study" in done.stderr
    assert [trial.state for trial in trials(sqlite)] == [optuna.trial.TrialState.COMPLETE]
    assert run(program, data, sqlite, *options).returncode == 0
    assert_is_whole(sqlite, 3)


def test_a_second_signal_ends_at_once(program, data, sqlite, tmp_path):
    command = command_in_commit("print('in commit', flush=True); time.sleep(100)", program, data, sqlite, "--trials", 1,
                                "--params", SMALL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tune:
        assert tune.stdout.readline().startswith("study")
        assert tune.stdout.readline() == "in commit\n"
        tune.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            tune.wait(1.5)
        tune.send_signal(signal.SIGINT)
        assert tune.wait(10) == 130
        assert "to continue the study" in tune.stderr.read()


def test_workers_end_when_their_parent_is_killed(program, data, sqlite):
    tune = start(program, data, sqlite, "--workers", 2, "--threads", 1, "--trials", 6, "--params",
                 SLOW.replace("n_epochs=3", "n_epochs=300"))
    pairs = wait_for(lambda: found if len(found := workers_with_program(tune.pid, program)) == 2 else None,
                     "trainings", process=tune)
    tune.kill()
    try:
        wait_for(lambda: not any(is_running(process) for pair in pairs for process in pair), "the workers to end", 60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(tune.pid, signal.SIGKILL)
        output_of(tune)
    states = [trial.state for trial in trials(sqlite)]
    assert states.count(optuna.trial.TrialState.WAITING) == 2 and optuna.trial.TrialState.RUNNING not in states


def space_file(folder, **content):
    path = folder / "space.json"
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_trainings_that_fall_behind_are_stopped(program, data, sqlite, tmp_path, pruner):
    # From learning rates that change nothing to good ones.
    space = space_file(tmp_path, space={"learning_rate": {"low": 1e-9, "high": 0.2, "log": True}})
    done = run(program, data, sqlite, "--trials", 14, "--space", space, "--params", SMALL, "--sampler-seed", 1,
               "--pruner", pruner)
    assert done.returncode == 0, done.stderr
    complete = [trial for trial in trials(sqlite) if trial.state == optuna.trial.TrialState.COMPLETE]
    pruned = [trial for trial in trials(sqlite) if trial.state == optuna.trial.TrialState.PRUNED]
    assert pruned and complete[0].user_attrs["defaults"]
    for trial in pruned:
        last = max(trial.intermediate_values)
        assert last < 3
        if pruner == "median":
            earlier = [other.intermediate_values[last] for other in complete if other.number < trial.number]
            assert len(earlier) >= 5
            assert max(trial.intermediate_values.values()) < statistics.median(earlier)
    n_epochs = sum(len(trial.intermediate_values) for trial in finished(sqlite))
    assert f"{n_epochs} epochs of {14 * 3} were trained, the others pruned" in done.stdout


def test_without_pruner_every_training_ends(program, data, sqlite, tmp_path):
    space = space_file(tmp_path, space={"learning_rate": {"choices": [0.1, 1e-9]}})
    done = run(program, data, sqlite, "--trials", 9, "--space", space, "--params", SMALL, "--pruner", "none")
    assert done.returncode == 0, done.stderr
    assert all(len(trial.intermediate_values) == 3 for trial in finished(sqlite))


def test_the_printed_command_trains_to_the_best_value(program, data, sqlite):
    done = run(program, data, sqlite, "--trials", 6, "--space", "bpr-max", "--params", SMALL, "--metric", "NDCG@10")
    assert done.returncode == 0, done.stderr
    command = shlex.split(done.stdout.splitlines()[-1])
    best = max(trial.value for trial in finished(sqlite))
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    last = [line for line in again.splitlines() if line.startswith("epoch")][-1]
    assert float(last.split("NDCG@10 ")[1]) == best


def test_the_summary_has_defaults_best_and_importances(program, data, sqlite, tmp_path):
    space = space_file(tmp_path, space={"learning_rate": {"low": 1e-6, "high": 0.2, "log": True},
                                        "sample_alpha": {"low": 0.49, "high": 0.5}})
    assert run(program, data, sqlite, "--trials", 14, "--space", space, "--params", SMALL, "--pruner", "none",
               "--sampler-seed", 3).returncode == 0
    done = subprocess.run(arguments("summary", program, data, sqlite, "--json"), capture_output=True, text=True)
    summary = json.loads(done.stdout)
    assert summary["trials"]["complete"] == 14
    defaults = next(trial for trial in finished(sqlite) if trial.user_attrs.get("defaults"))
    assert summary["defaults"] == defaults.value
    assert summary["best"][0]["value"] == max(trial.value for trial in finished(sqlite)) >= defaults.value
    # The learning rate spans five orders of magnitude, the other parameter next to nothing.
    shares = summary["importances"]["shares"]
    assert shares["learning_rate"] > shares["sample_alpha"]
    assert sum(shares.values()) == pytest.approx(1)
    for_people = subprocess.run(arguments("summary", program, data, sqlite), capture_output=True, text=True).stdout
    assert f"MRR@20 of the defaults: {defaults.value:.6f}" in for_people
    assert summary["command"] in for_people


def test_a_summary_for_other_data_is_refused(program, data, sqlite):
    """Its command would train the best on data that it was not chosen for."""
    assert run(program, data, sqlite, "--trials", 1, "--params", SMALL).returncode == 0
    done = subprocess.run(arguments("summary", program, data[::-1], sqlite), capture_output=True, text=True)
    assert done.returncode == 1 and "was begun with training data" in done.stderr


@pytest.mark.parametrize("n_workers", [1, 2])
def test_it_ends_quietly_when_nobody_reads_on(program, data, sqlite, n_workers):
    command = arguments("run", program, data, sqlite, "--trials", 4, "--params", SMALL, "--workers", n_workers)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tune:
        assert tune.stdout.readline().startswith("study")
        tune.stdout.close()
        assert (tune.wait(300), tune.stderr.read()) == (128 + signal.SIGPIPE, "")
    assert run(program, data, sqlite, "--trials", 4, "--params", SMALL).returncode == 0
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(arguments("summary", program, data, sqlite), stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_the_same_seed_of_the_sampler_chooses_the_same_parameters(program, data, tmp_path):
    def chosen(name, seed):
        storage = f"sqlite:///{tmp_path}/{name}.db"
        run(program, data, storage, "--trials", 4, "--params", SMALL, "--sampler-seed", seed, "--pruner", "none")
        return [(trial.params, trial.value) for trial in finished(storage)]
    first = chosen("a", 5)
    assert len(first) == 4
    assert chosen("b", 5) == first
    assert chosen("c", 6) != first


def test_a_training_that_diverges_is_pruned(program, data, sqlite):
    done = run(program, data, sqlite, "--trials", 2, "--params", SMALL + ",adapt=sgd,learning_rate=1e38,momentum=0.9")
    assert [trial.state for trial in finished(sqlite)] == [optuna.trial.TrialState.PRUNED] * 2
    assert "diverged" in done.stdout
    assert done.returncode == 1 and "no trial of 'gru4rec' is complete yet" in done.stderr


def test_options_after_two_dashes_go_to_the_program(program, data, sqlite, tmp_path):
    renamed = []
    for path in data:
        content = pathlib.Path(path).read_text().replace("ItemId", "product", 1)
        renamed.append(str(tmp_path / os.path.basename(path)))
        pathlib.Path(renamed[-1]).write_text(content)
    done = run(program, renamed, sqlite, "--trials", 2, "--params", SMALL, "--", "--item-key", "product")
    assert done.returncode == 0, done.stderr
    assert "--item-key product" in done.stdout.splitlines()[-1]
    wrong = run(program, renamed, sqlite + "2", "--trials", 2, "--params", SMALL, "--", "--item-key", "nothing")
    assert wrong.returncode == 1 and "nothing" in wrong.stderr


@pytest.mark.parametrize("options, message", [
    (["--seed", "7"], "--seed after --: use --seed of tune.py instead"),
    (["--threads=1"], "--threads after --: use --threads of tune.py instead"),
    (["--params", "lmbd=1"], "--params after --: use --params of tune.py instead"),
    (["--valid", "x.tsv"], "--valid after --: use VALID of tune.py instead"),
    (["--measure", "5"], "--measure after --: use --metric of tune.py instead"),
    *(([option, "file"], f"{option} after --: every training run would write the same file")
      for option in ("--save", "--checkpoint", "--resume", "--report", "--log-steps")),
])
def test_options_that_collide_with_those_of_this_program_are_refused(program, data, sqlite, tmp_path, options, message):
    for command in ("run", "summary"):
        done = subprocess.run([*arguments(command, program, data, sqlite), "--", *options], capture_output=True,
                              text=True, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (1, f"tune.py: {message}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options, message", [
    (["--params", SMALL + ",batch_size=64"], "was begun with"),
    (["--params", SMALL, "--metric", "Recall@20"], "was begun with metric MRR@20, now it is Recall@20"),
    (["--params", SMALL, "--seed", 1], "was begun with seed 42, now it is 1"),
    (["--params", SMALL, "--space", "bpr-max"], "was begun with fixed"),
])
def test_a_study_of_other_options_is_refused(program, data, sqlite, options, message):
    assert run(program, data, sqlite, "--trials", 1, "--params", SMALL).returncode == 0
    done = run(program, data, sqlite, "--trials", 2, *options)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_study_of_other_data_is_refused(program, data, sqlite):
    assert run(program, data, sqlite, "--trials", 1, "--params", SMALL).returncode == 0
    done = run(program, data[::-1], sqlite, "--trials", 2, "--params", SMALL)
    assert done.returncode == 1 and "was begun with training data" in done.stderr


def test_data_may_be_folders_and_several_files(program, data, sqlite, tmp_path):
    header, *rows = pathlib.Path(data[0]).read_text().splitlines(keepends=True)
    half = len(rows) // 2

    def folder(name, *parts):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".hidden").write_text("not read")
        for number, part in enumerate(parts):
            (tmp_path / name / f"{number}.tsv").write_text("".join([header, *part]))
        return str(tmp_path / name)
    whole, first, second = folder("whole", rows[:half], rows[half:]), folder("a", rows[:half]), folder("b", rows[half:])
    values = []
    for number, train in enumerate([[data[0]], [whole], [first, second], [first, f"{second}/0.tsv"]]):
        done = run(program, [*train, data[1]], f"{sqlite}{number}", "--trials", 1, "--params", SMALL)
        assert done.returncode == 0, done.stderr
        assert shlex.join(train) + " --params" in done.stdout.splitlines()[-1]
        values.append(finished(f"{sqlite}{number}")[0].value)
    assert values == values[:1] * 4
    # The same content in other files is the same data.
    assert run(program, [whole, data[1]], f"{sqlite}2", "--trials", 1, "--params", SMALL).returncode == 0
    with open(f"{second}/0.tsv", "a") as file:
        file.write("more\t1\t1\nmore\t2\t2\n")
    done = run(program, [first, second, data[1]], f"{sqlite}2", "--trials", 1, "--params", SMALL)
    assert done.returncode == 1 and "was begun with training data" in done.stderr


def test_data_that_cannot_be_read_again_are_refused(program, data, sqlite, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    for train, message in [("-", "must be in files"), (str(tmp_path / "pipe"), "must be in files"),
                           (str(tmp_path / "empty"), "the folder holds no files"),
                           (str(tmp_path / "nowhere"), "No such file")]:
        done = run(program, [train, data[1]], sqlite, "--trials", 1)
        assert done.returncode == 1 and f"{train}: " in done.stderr and message in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("options, message", [
    (["--params", "layers=0"], "gru4rec train refuses loss=cross-entropy,layers=0: gru4rec: layers = 0, must satisfy"),
    (["--", "--item-kee", "product"], "not expected: --item-kee"),
    (["--params", "layers"], "--params: 'layers', expected name=value"),
    (["--params", "loss=bpr", "--space", "nowhere.json"], "nowhere.json: No such file"),
    (["--metric", "AUC"], "--metric: 'AUC', expected Recall@N"),
    (["--metric", "MRR@020"], "--metric: 'MRR@020', expected Recall@N"),
    (["--metric", "MRR@0"], "--metric: 'MRR@0', expected Recall@N"),
    (["--study", b"caf\xe9"], r"'caf\xe9' is not valid UTF-8"),
    (["--space", b"caf\xe9.json"], r"'caf\xe9.json' is not valid UTF-8"),
    (["--program", "/nonexistent/gru4rec"], "/nonexistent/gru4rec"),
])
def test_mistakes_end_with_one_line(program, data, sqlite, options, message):
    done = run(program, data, sqlite, "--trials", 1, *options)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not trials(sqlite)


def test_a_seed_of_the_sampler_that_is_too_large_is_refused(program, data, sqlite):
    done = run(program, data, sqlite, "--trials", 1, "--sampler-seed", 2**32)
    assert done.returncode == 2 and f"--sampler-seed: '{2**32}', expected at most {2**32 - 1}" in done.stderr
    # The second worker gets the next seed.
    done = run(program, data, sqlite, "--trials", 2, "--sampler-seed", 2**32 - 1, "--workers", 2, "--params", SMALL)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("values", [{"momentun": {"low": 0, "high": 1}}, {"momentum": {"low": 0.1, "high": 1}},
                                    {"momentum": {"low": -0.1, "high": 0.9}}, {"momentum": {"choices": [0.1, 2, 0]}}])
def test_a_space_that_the_program_refuses_begins_no_study(program, data, sqlite, tmp_path, values):
    done = run(program, data, sqlite, "--trials", 1, "--params", SMALL, "--space", space_file(tmp_path, space=values))
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert f"gru4rec train refuses {SMALL}" in done.stderr and "gru4rec: " in done.stderr
    assert not (tmp_path / "tune.db").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_ends_with_one_line(program, data, sqlite):
    options = ["--trials", 1, "--params", SMALL]
    assert run(program, data, sqlite, *options).returncode == 0
    for command in (arguments("run", program, data, sqlite, *options), arguments("summary", program, data, sqlite)):
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        assert (done.returncode, done.stderr) == (1, "tune.py: standard output: No space left on device\n")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true",
                                 "sqlite:///file:a?mode=memory&uri=true"])
def test_a_storage_in_memory_is_refused(program, data, url):
    done = run(program, data, url, "--trials", 1, "--params", SMALL)
    assert (done.returncode, done.stderr) == (1, f"tune.py: --storage: {url}: a study in memory is lost at the end; "
                                                 "expected sqlite:///FILE\n")


@pytest.mark.parametrize("url", ["sqlite:///{}", "sqlite:///file:{}?uri=true"])
def test_a_summary_creates_no_database(program, data, tmp_path, url):
    url = url.format(tmp_path / "typo.db")
    done = subprocess.run(arguments("summary", program, data, url), capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert f"--storage: {url}: there is no file '{tmp_path}/typo.db'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_storage_that_is_not_there_is_named_without_its_password(program, data, tmp_path):
    for storage, message in [(f"sqlite:///{tmp_path}/no/tune.db", "unable to open database file"),
                             ("postgresql+psycopg://me:secret@127.0.0.1:1/tune", "me@127.0.0.1:1"),
                             ("postgresql+psycopg://127.0.0.1:1/tune?user=me&password=secret", "user=me&password=***"),
                             (f"sqlite:///{tmp_path}/tune.db?timeout=x", "could not convert string to float: 'x'"),
                             ("nonsense://x", "nonsense")]:
        done = run(program, data, storage, "--trials", 1)
        assert done.returncode == 1 and message in done.stderr and "secret" not in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("url, shown", [
    ("sqlite:///tune.db", "sqlite:///tune.db"),
    ("postgresql://host:5432/db", "postgresql://host:5432/db"),
    ("postgresql://me@host/db", "postgresql://me@host/db"),
    ("postgresql://me:secret@host/db", "postgresql://me@host/db"),
    ("postgresql://me:se@cret@host/db", "postgresql://me@host/db"),
    ("postgresql://me:se/cr?e:t@host:1/db?a=b", "postgresql://me@host:1/db?a=b"),
    ("postgresql://:secret@host/db", "postgresql://@host/db"),
    ("postgresql://host/db?user=x&password=secret", "postgresql://host/db?user=x&password=***"),
    ("postgresql://host/db?password=secret&user=x@y", "postgresql://host/db?password=***&user=x@y"),
    ("postgresql://me:secret@host/db?sslPassword=se=cret&port=1", "postgresql://me@host/db?sslPassword=***&port=1"),
    ("mysql://host/db?passwd=secret", "mysql://host/db?passwd=***"),
    ("postgresql://host/db?p%61ssword=secret", "postgresql://host/db?p%61ssword=***"),
    ("postgresql://host/db?password=", "postgresql://host/db?password=***"),
    ("nonsense", "nonsense"),
])
def test_passwords_are_hidden(url, shown):
    assert hidden_password(url) == shown


def test_a_storage_that_is_broken_ends_with_one_line(program, data, tmp_path, sqlite):
    assert run(program, data, sqlite, "--trials", 1, "--params", SMALL).returncode == 0
    for change, message in [("ALTER TABLE trials RENAME COLUMN state TO condition", "no such column"),
                            ("UPDATE alembic_version SET version_num = 'v0'", "no longer compatible")]:
        with contextlib.closing(sqlite3.connect(tmp_path / "tune.db")) as database:
            database.execute(change)
            database.commit()
        done = run(program, data, sqlite, "--trials", 2, "--params", SMALL)
        assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
    (tmp_path / "tune.db").write_text("no database")
    done = run(program, data, sqlite, "--trials", 2, "--params", SMALL)
    assert done.returncode == 1 and "not a database" in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("directions, setup, message", [
    (["minimize"], None, "it does not maximise one value"),
    (["maximize", "maximize"], None, "it does not maximise one value"),
    (["maximize"], None, "it has no attribute 'setup'"),
    (["maximize"], "mine", "its attribute 'setup' is of something else"),
    (["maximize"], {}, "its attribute 'setup' has no fixed"),
    (["maximize"], {"fixed": {}, "space": {}, "metric": "MRR@20", "seed": 42}, "its attribute 'setup' has no options"),
])
def test_a_study_of_something_else_is_refused(program, data, sqlite, directions, setup, message):
    study = optuna.create_study(storage=sqlite, study_name="gru4rec", directions=directions)
    study.add_trial(optuna.trial.create_trial(values=[1.0] * len(directions)))
    if setup is not None:
        study.set_user_attr("setup", setup)
    for command in (arguments("run", program, data, sqlite, "--trials", 1, "--params", SMALL),
                    arguments("summary", program, data, sqlite)):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
        assert f"cannot use the study 'gru4rec': {message}" in done.stderr and "another --study" in done.stderr
    assert len(trials(sqlite)) == 1


def test_a_trial_of_something_else_is_refused(program, data, sqlite):
    assert run(program, data, sqlite, "--trials", 1, "--params", SMALL).returncode == 0
    optuna.load_study(storage=sqlite, study_name="gru4rec").add_trial(optuna.trial.create_trial(value=0.0))
    done = subprocess.run(arguments("summary", program, data, sqlite), capture_output=True, text=True)
    assert done.returncode == 1 and "study 'gru4rec': its trial 1 has no attribute 'best_epoch'" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("path", built_in_spaces().values(), ids=os.path.basename)
def test_both_ends_of_the_built_in_ranges_are_accepted_by_the_program(program, data, path):
    space = read_space(path)
    for end in ("low", "high"):
        values = {name: as_text(getattr(values, end) if hasattr(values, end) else values.choices[-(end == "high")])
                  for name, values in space.ranges.items()}
        params = listed(space.fixed | values | {"layers": "8", "n_epochs": "1", "n_sample": "16"})
        done = subprocess.run([program, "train", data[0], "--params", params], capture_output=True, text=True)
        assert done.returncode in (0, 4), done.stderr  # a high learning rate may diverge
    assert json.loads(pathlib.Path(path).read_text())["source"]


@pytest.mark.parametrize("content, message", [
    ("[", "not valid JSON"),
    ("[]", "expected an object"),
    ('{"space": {}}', "expected an object"),
    ('{"space": {"lmbd": {"low": 0, "high": 1}}, "speed": 1}', "unknown entry 'speed'"),
    ('{"space": {"lmbd": {"low": 0, "high": 1}}, "fixed": {"lmbd": 1}}', "'lmbd' is in fixed and in space"),
    ('{"space": {"lmbd": {"low": 0}}}', "lmbd: expected"),
    ('{"space": {"lmbd": {"choices": []}}}', "lmbd: expected"),
    ('{"space": {"lmbd": 3}}', "lmbd: expected"),
    ('{"space": {"lmbd": {"low": 1, "high": 0}}}', "lmbd: "),
    ('{"space": {"lmbd": {"low": 0.1, "high": 1, "step": 0.1, "log": true}}}', "lmbd: expected"),
    ('{"space": {"lmbd": {"low": 0, "high": 1, "log": true}}}', "lmbd: "),
    ('{"space": {"lmbd": {"low": "a", "high": 1}}}', "must be numbers"),
    ('{"space": {"lmbd": {"low": NaN, "high": 1}}}', "must be numbers"),
    ('{"space": {"lmbd": {"low": 0, "high": 1' + 400 * "0" + '}}}', "must be numbers"),
    ('{"space": {"lmbd": {"choices": ["0.1,batch_size=5"]}}}', "lmbd: '0.1,batch_size=5' is not a value"),
    ('{"space": {"lmbd": {"choices": [[1, "2=3"]]}}}', "lmbd: '1/2=3' is not a value"),
    (r'{"space": {"lmbd": {"choices": ["\ud800"]}}}', "is not a value"),
    (r'{"space": {"lmbd": {"choices": ["a\u0000b"]}}}', "is not a value"),
    ('{"space": {"momentum=0.1,lmbd": {"low": 0, "high": 1}}}', "'momentum=0.1,lmbd' is not the name of a parameter"),
    (r'{"space": {"\ud800": {"low": 0, "high": 1}}}', "is not the name of a parameter"),
    ('{"space": {"lmbd": {"low": 0, "high": 1}}, "fixed": {"bpreg": "1,sigma=2"}}', "bpreg: '1,sigma=2' is not a"),
    ('{"space": {"lmbd": {"low": 0, "high": 1}}, "fixed": {"bpreg=1,sigma": "2"}}', "is not the name of a parameter"),
    ('{"space": {"lmbd": {"low": 0, "high": 1}, "lmbd": {"low": 0, "high": 2}}}', "'lmbd' is given twice"),
    ('{"space": {"lmbd": {"low": 0, "high": 1, "high": 2}}}', "'high' is given twice"),
])
def test_a_wrong_space_is_refused(tmp_path, content, message):
    path = tmp_path / "space.json"
    path.write_text(content)
    with pytest.raises(TuneError, match=message) as caught:
        read_space(str(path))
    assert str(path) in str(caught.value)


def test_values_are_written_as_the_program_reads_them():
    assert as_text(0.1 + 0.2) == "0.3"
    assert as_text([200, 100]) == "200/100"
    assert as_text(True) == "true"
    assert as_text(1e-9) == "1e-09"
    assert parse_parameters("layers=100/50,loss=bpr") == {"layers": "100/50", "loss": "bpr"}


def test_parameters_that_are_given_are_not_searched():
    space = read_space(built_in_spaces()["cross-entropy"]).with_fixed({"batch_size": "64"})
    assert "batch_size" not in space.ranges and space.fixed["batch_size"] == "64"
