#!/usr/bin/env python3
"""Trains GRU4Rec with this package, the program, RecBole and Cornac on the same data, and prints a table.

    python/bench/side_by_side.py TRAIN TEST --program build/release/bin/gru4rec [--only package,program,recbole,cornac]

TRAIN and TEST have the columns SessionId, ItemId and Time, separated by TABs. Every contestant runs in a process of its
own and ranks all items of TRAIN for every event of TEST except the first of each session; ranks, ties and metrics are
computed here, in the same way for all. Speeds are events per second of processor time, on one thread. The contestants
need the packages gru4rec, recbole (with torch and pandas) and cornac (with torch); one whose package is missing is
skipped with a message. --python NAME=FILE sets the interpreter of a contestant.
"""
import argparse
import importlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

CUTOFF = 20
UNITS, BATCH, SAMPLES, RATE = 100, 128, 2048, 0.05
LONGEST = 50  # RecBole feeds at most this many events of a session


class Data:
    """Sessions of (item id, time), in time order; events of the same time in file order."""

    def __init__(self, path):
        self.path = path
        events = sorted((float(time), i, session, item) for i, (session, item, time) in enumerate(
            line.split("\t") for line in pathlib.Path(path).read_text().splitlines()[1:]))
        self.sessions = {}
        for when, _, session, item in events:
            self.sessions.setdefault(session, []).append((item, when))

    def items(self):
        return [[item for item, _ in session] for session in self.sessions.values()]

    def n_pairs(self):
        return sum(len(session) - 1 for session in self.sessions.values())


def peak_mebibytes(who=resource.RUSAGE_SELF):
    return resource.getrusage(who).ru_maxrss / 1024


def ranks_of(scores, targets):
    """Conservative ranks: items of the same score count as better.

    :param scores: (n targets, n items)
    :param targets: column of each target
    """
    return (scores >= scores[np.arange(len(targets)), targets][:, None]).sum(axis=1)


def test_prefixes(train, test):
    """Pairs of the items seen so far and the next one, of items that occur in the training data."""
    known = {item for session in train.items() for item in session}
    for session in test.items():
        seen = [item for item in session if item in known]
        yield from ((seen[:i], seen[i]) for i in range(1, len(seen)))


# Each contestant trains, and returns seconds of processor time, peak memory until then, and the rank of every target.


def params(options):
    return {"layers": UNITS, "batch_size": BATCH, "n_sample": SAMPLES, "learning_rate": RATE,
            "n_epochs": options.epochs}


def ranks_by_gru4rec(model, train, test):
    row = {item: i for i, item in enumerate(model.items_)}
    table = model.weights_["Wy.weight"]
    biases = model.weights_["By.weight"].reshape(-1)
    states, targets = [], []
    for seen, target in test_prefixes(train, test):
        if len(seen) == 1:
            session = model.session()
        session.click(seen[-1])
        states.append(session.states()[-1])
        targets.append(row[target])
    return np.concatenate([ranks_of(np.array(states[i:i + 256]) @ table.T + biases, targets[i:i + 256])
                           for i in range(0, len(states), 256)])


def package(options, train, test):
    from gru4rec import GRU4Rec

    model = GRU4Rec(threads=1, **params(options))
    start = time.process_time()
    model.fit(train.path)
    return time.process_time() - start, peak_mebibytes(), ranks_by_gru4rec(model, train, test)


def program(options, train, test):
    from gru4rec import GRU4Rec

    listed = ",".join(f"{name}={value}" for name, value in params(options).items())
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.program, "train", train.path, "--params", listed, "--threads", "1", "--save",
                        f"{folder}/model"], check=True, stdout=subprocess.DEVNULL)
        model = GRU4Rec.load(f"{folder}/model")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, peak_mebibytes(resource.RUSAGE_CHILDREN), ranks_by_gru4rec(model, train, test)


def recbole(options, train, test):
    from recbole.config import Config
    from recbole.data import create_dataset
    from recbole.data.dataloader import TrainDataLoader
    from recbole.model.sequential_recommender import GRU4Rec
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "side").mkdir()
        rows = (f"{s}\t{item}\t{when}" for s, session in train.sessions.items() for item, when in session)
        pathlib.Path(folder, "side", "side.inter").write_text(
            "session_id:token\titem_id:token\ttimestamp:float\n" + "\n".join(rows) + "\n")
        sys.argv = sys.argv[:1]  # RecBole reads settings from the command line too
        config = Config(model="GRU4Rec", dataset="side", config_dict=recbole_settings(folder, options))
        init_seed(42, True)
        dataset = create_dataset(config)
        prefixes = dataset.build()[0]
        model = GRU4Rec(config, prefixes)
        trainer = Trainer(config, model)
        start = time.process_time()
        trainer.fit(TrainDataLoader(config, prefixes, None, shuffle=True), saved=False)
        seconds = time.process_time() - start
    return seconds, peak_mebibytes(), ranks_by_recbole(model, dataset, list(test_prefixes(train, test)))


def recbole_settings(folder, options):
    return {"data_path": folder, "checkpoint_dir": folder, "USER_ID_FIELD": "session_id", "ITEM_ID_FIELD": "item_id",
            "TIME_FIELD": "timestamp", "load_col": {"inter": ["session_id", "item_id", "timestamp"]},
            "MAX_ITEM_LIST_LENGTH": LONGEST, "loss_type": "CE", "train_neg_sample_args": None, "num_layers": 1,
            "embedding_size": UNITS, "hidden_size": UNITS, "dropout_prob": 0.0, "epochs": options.epochs,
            "train_batch_size": BATCH, "learner": options.learner, "learning_rate": options.recbole_rate,
            "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "group_by": None, "order": "TO", "mode": "full"},
            "device": "cpu", "use_gpu": False, "show_progress": False, "state": "WARNING", "seed": 42}


def ranks_by_recbole(model, dataset, pairs):
    import torch
    from recbole.data.interaction import Interaction

    model.eval()
    ranks = []
    for first in range(0, len(pairs), 256):
        some = pairs[first:first + 256]
        lists = torch.zeros(len(some), LONGEST, dtype=torch.int64)
        for i, (seen, _) in enumerate(some):
            rows = dataset.token2id("item_id", seen[-LONGEST:])
            lists[i, :len(rows)] = torch.as_tensor(rows)
        lengths = torch.tensor([min(len(seen), LONGEST) for seen, _ in some])
        with torch.no_grad():
            scores = model.full_sort_predict(Interaction({"item_id_list": lists, "item_length": lengths})).numpy()
        # Item 0 is padding.
        ranks.append(ranks_of(scores[:, 1:], dataset.token2id("item_id", [target for _, target in some]) - 1))
    return np.concatenate(ranks)


def cornac(options, train, test):
    from cornac.data import SequentialDataset
    from cornac.models import GRU4Rec

    rows = [(session, item, when) for session, events in train.sessions.items() for item, when in events]
    data = SequentialDataset.build(rows, fmt="SIT", seed=42)
    model = GRU4Rec(layers=[UNITS], loss="cross-entropy", batch_size=BATCH, n_sample=SAMPLES, learning_rate=RATE,
                    n_epochs=options.epochs, device="cpu", verbose=False, seed=42)
    start = time.process_time()
    model.fit(data)
    seconds = time.process_time() - start
    peak = peak_mebibytes()
    row = data.iid_map
    ranks = [ranks_of(np.asarray(model.score(0, [row[item] for item in seen]))[None], [row[target]])
             for seen, target in test_prefixes(train, test)]
    return seconds, peak, np.concatenate(ranks)


CONTESTANTS = {"package": (package, "gru4rec"), "program": (program, "gru4rec"), "recbole": (recbole, "recbole"),
               "cornac": (cornac, "cornac")}


def run_one(name, options):
    """Runs one contestant in this process and prints a line of JSON."""
    contestant, needs = CONTESTANTS[name]
    try:
        importlib.import_module(needs)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    train, test = Data(options.train), Data(options.test)
    seconds, peak, ranks = contestant(options, train, test)
    hits = ranks <= CUTOFF
    print(json.dumps({"events_per_second": train.n_pairs() * options.epochs / seconds, "seconds": seconds,
                      "recall": float(hits.mean()), "mrr": float(np.where(hits, 1 / ranks, 0).mean()),
                      "n": len(ranks), "peak": peak}))


def run_all(options):
    interpreters = dict(options.python)
    print(f"{options.epochs} epochs, {UNITS} units, {BATCH} sessions or sequences per step, one thread\n\n"
          f"| | training, events/s | Recall@{CUTOFF} | MRR@{CUTOFF} | peak memory, MiB |\n|---|---|---|---|---|",
          flush=True)
    predictions = set()
    for name in options.only:
        command = [interpreters.get(name, sys.executable), __file__, *sys.argv[1:], "--one", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode != 0:
            sys.exit(f"side_by_side.py: {name} failed")
        found = json.loads(done.stdout.splitlines()[-1])
        if "missing" in found:
            print(f"{name} is skipped: {found['missing']}", file=sys.stderr)
            continue
        predictions.add(found["n"])
        print(f"| {name} | {found['events_per_second']:,.0f} | {found['recall']:.4f} | {found['mrr']:.4f} | "
              f"{found['peak']:,.0f} |", flush=True)
    if len(predictions) > 1:
        sys.exit(f"side_by_side.py: the numbers of predictions differ: {predictions}")


def names_of_contestants(text):
    names = text.split(",")
    if unknown := set(names) - set(CONTESTANTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: expected some of {', '.join(CONTESTANTS)}")
    return names


def name_and_file(text):
    name, separator, file = text.partition("=")
    if not separator or name not in CONTESTANTS:
        raise argparse.ArgumentTypeError(f"'{text}', expected NAME=FILE with one of {', '.join(CONTESTANTS)}")
    return name, file


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--program", default="gru4rec", help="the program gru4rec (default: gru4rec)")
    parser.add_argument("--only", type=names_of_contestants, default=list(CONTESTANTS), metavar="NAMES",
                        help="who takes part, separated by commas (default: all)")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learner", default="adagrad", help="optimiser of RecBole (default: adagrad, like the others)")
    parser.add_argument("--recbole-rate", type=float, default=RATE, help="learning rate of RecBole")
    parser.add_argument("--python", type=name_and_file, action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--one", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options)
    else:
        run_all(options)


if __name__ == "__main__":
    main()
