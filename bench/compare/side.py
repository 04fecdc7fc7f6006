"""side.py LIBRARY KIND NAME=VALUE...: one of the other libraries in compare.py.

Reads the data that gru4rec_side has written, checks that it comes to the same results, prints `ready` and then, for
every line of standard input, seconds. Prints `missing` and why if the library is not installed.
"""
import importlib
import json
import pathlib
import sys
import time

LISTED = 20


class Arguments:
    """The NAME=VALUE words of the command line."""

    def __init__(self, words):
        self.values = dict(word.split("=", 1) for word in words)
        self.folder = pathlib.Path(self.values["folder"])
        self.threads = self.number("threads")

    def text(self, name):
        return self.values[name]

    def number(self, name):
        return int(self.values[name])

    def array(self, name):
        """A file of numbers whose type its ending names."""
        import numpy

        return numpy.fromfile(self.folder / name, {"f32": "<f4", "f64": "<f8", "i32": "<i4", "i64": "<i8"}[name[-3:]])

    def weights(self, name):
        """The tensors of a model file by name."""
        import numpy

        content = numpy.fromfile(self.folder / name, "u1")
        begin = 8 + int(content[:8].view("<u8")[0])
        tensors = json.loads(content[8:begin].tobytes())
        tensors.pop("__metadata__")
        return {name: content[begin + tensor["data_offsets"][0]:begin + tensor["data_offsets"][1]].view("<f4").reshape(
            tensor["shape"]) for name, tensor in tensors.items()}


def require(is_right, what):
    if not is_right:
        sys.exit(f"{' '.join(sys.argv[1:3])}: {what}")


def seconds_of(threads, work):
    """As gru4rec_side: processor time with one thread, else by the clock on the wall."""
    clock = time.process_time if threads == 1 else time.perf_counter
    start = clock()
    work()
    return clock() - start


def check_lists(arguments, scores, items):
    """Compares lists with the exact ones of this library. Rounding may swap items of nearly equal scores."""
    import numpy

    n = arguments.number("sessions")
    wanted_scores = arguments.array("scores.f32").reshape(n, LISTED)
    wanted_items = arguments.array("items.i32").reshape(n, LISTED)
    tolerance = 1e-5 * numpy.abs(wanted_scores).max()
    require(numpy.abs(scores - wanted_scores).max() <= tolerance, "scores differ")
    for row, place in zip(*numpy.nonzero(items != wanted_items)):
        near = numpy.abs(wanted_scores[row] - wanted_scores[row, place]) <= tolerance
        require(items[row, place] in wanted_items[row, near] or near[-1], "another list")


class Serving:
    """Lists for many sessions at once, and for one after another. `find` returns scores and items for some rows of
    `states`."""

    def __init__(self, arguments):
        self.threads, self.n_requests = arguments.threads, arguments.number("requests")
        weights = arguments.weights("model.safetensors")
        self.table, self.biases = weights["Wy.weight"], weights["By.weight"].reshape(-1)
        self.states = arguments.array("states.f32").reshape(-1, self.table.shape[1])
        self.prepare()
        check_lists(arguments, *self.find(slice(None)))
        self.measures = {"many": self.many, "one": self.one}

    def many(self):
        n_calls = max(1, self.n_requests // len(self.states))
        self.find(slice(None))
        seconds = seconds_of(self.threads, lambda: [self.find(slice(None)) for _ in range(n_calls)])
        return seconds / (n_calls * len(self.states))

    def one(self):
        places = [slice(i % len(self.states), i % len(self.states) + 1) for i in range(self.n_requests)]
        self.find(places[0])
        return seconds_of(self.threads, lambda: [self.find(place) for place in places]) / self.n_requests


class TorchServing(Serving):
    def prepare(self):
        import torch

        torch.set_num_threads(self.threads)
        torch.set_grad_enabled(False)
        self.table, self.biases, self.states = map(torch.from_numpy, (self.table, self.biases, self.states))

    def find(self, rows):
        import torch

        scores, items = torch.addmm(self.biases, self.states[rows], self.table.T).topk(LISTED)
        return scores.numpy(), items.numpy()


class FaissServing(Serving):
    """The bias is one more dimension."""

    def prepare(self):
        import faiss
        import numpy

        faiss.omp_set_num_threads(self.threads)
        self.index = faiss.IndexFlatIP(self.table.shape[1] + 1)
        self.index.add(numpy.column_stack([self.table, self.biases]))
        self.states = numpy.column_stack([self.states, numpy.ones(len(self.states), "f4")])
        self.table = None

    def find(self, rows):
        return self.index.search(self.states[rows], LISTED)


class TorchEvaluation:
    """Ranks of all targets: the GRU over all sessions, then blocks of events against all items."""

    BLOCK = 32  # of 16 to 512 the fastest

    def __init__(self, arguments):
        import torch

        self.threads = arguments.threads
        torch.set_num_threads(self.threads)
        torch.set_grad_enabled(False)
        weights = {name: torch.from_numpy(values) for name, values in arguments.weights("model.safetensors").items()}
        self.table, self.biases = weights["Wy.weight"], weights["By.weight"].reshape(-1)
        width = self.table.shape[1]
        self.gru = torch.nn.GRU(width, width, batch_first=True)
        self.gru.load_state_dict({name + "_l0": weights["G.0." + name]
                                  for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")})
        lengths = torch.from_numpy(arguments.array("lengths.i32").astype("i8"))
        items = torch.from_numpy(arguments.array("items.i32").astype("i8"))
        sessions = [session for session in items.split(lengths.tolist()) if len(session) > 1]
        self.inputs = torch.nn.utils.rnn.pack_sequence([session[:-1] for session in sessions], enforce_sorted=False)
        self.targets = torch.nn.utils.rnn.pack_sequence([session[1:] for session in sessions], enforce_sorted=False)
        self.check(arguments.array("ranks.i32"))
        self.measures = {"evaluate": lambda: seconds_of(self.threads, self.ranks) / len(self.targets.data)}

    def ranks(self):
        """Of the packed events."""
        import torch

        hidden = self.gru(self.inputs._replace(data=self.table[self.inputs.data]))[0].data
        ranks = []
        for first in range(0, len(hidden), self.BLOCK):
            targets = self.targets.data[first:first + self.BLOCK, None]
            scores = torch.addmm(self.biases, hidden[first:first + self.BLOCK], self.table.T)
            ranks.append((scores > scores.gather(1, targets)).sum(dim=1) + 1)
        return torch.cat(ranks)

    def check(self, wanted):
        """In the order of sessions. Rounding may swap a target with a neighbour."""
        import numpy
        import torch

        padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(self.targets._replace(data=self.ranks()), True)
        ranks = numpy.concatenate([row[:length].numpy() for row, length in zip(padded, lengths)])
        differences = numpy.abs(ranks - wanted)
        require(differences.max() <= 2 and (differences > 0).mean() <= 0.05, "ranks differ")


class TorchTraining:
    def __init__(self, arguments):
        import torch

        self.threads, self.n_steps = arguments.threads, arguments.number("steps")
        torch.set_num_threads(self.threads)
        torch.manual_seed(42)
        lines = (arguments.folder / "setting.txt").read_text().splitlines()
        self.settings = dict(line.split("=", 1) for line in lines)
        self.supports = torch.from_numpy(arguments.array("supports.i64"))
        self.check(arguments)
        self.trainer = self.make_trainer(arguments, self.settings)
        self.batches = self.make_batches()
        self.measures = {"train": self.seconds_per_event}

    def make_trainer(self, arguments, settings):
        import torch
        from torch_trainer import Trainer

        weights = {name: torch.from_numpy(values.copy())
                   for name, values in arguments.weights("start.safetensors").items()}
        self.weights = weights
        return Trainer(settings, weights, self.supports)

    def make_batches(self):
        from torch_trainer import RandomSessions

        return RandomSessions(self.supports, int(self.settings["batch_size"]))

    def check(self, arguments):
        """The same steps without dropout must give the same losses and weights."""
        import numpy
        import torch

        trainer = self.make_trainer(arguments, self.settings | {"dropout_p_embed": "0", "dropout_p_hidden": "0"})
        n, n_sample = trainer.batch_size, trainer.n_sample
        steps = torch.from_numpy(arguments.array("steps.i32").astype("i8")).reshape(-1, 3 * n + n_sample)
        losses = [trainer.step(step[:n], step[n:2 * n], step[2 * n:3 * n].bool(), step[3 * n:]) for step in steps]
        wanted = arguments.array("losses.f64")
        require(numpy.allclose(losses, wanted, rtol=1e-4), f"losses {losses}, wanted {wanted}")
        # If |g| is near the root of epsilon, 1e-3, Adagrad makes an error of g a thousand times larger.
        tolerance = len(losses) * 1e3 * float(self.settings["learning_rate"]) * 1e-6
        for name, values in arguments.weights("end.safetensors").items():
            largest = numpy.abs(self.weights[name].detach().numpy() - values).max()
            require(largest <= tolerance, f"{name} differs by {largest}")

    def seconds_per_event(self):
        def steps(n):
            for _ in range(n):
                self.trainer.step(*self.batches.next(), self.trainer.draw_negatives())

        steps(10)
        return seconds_of(self.threads, lambda: steps(self.n_steps)) / (self.n_steps * self.trainer.batch_size)


class Loading:
    """`columns` reads typed columns, `sessions` also brings the events in the order of sessions and times, with
    consecutive numbers for sessions and items. What they return is checked by sums.

    `sums`: events, and the sums of the columns, times in milliseconds. `sorted_sums`: the sum of each item times the
    number of its row modulo 1000, then sessions and items.
    """

    def __init__(self, arguments):
        self.path = str(arguments.folder / "events.tsv")
        self.threads = arguments.threads
        self.prepare()
        content = (arguments.folder / "sums.i64").read_bytes()
        wanted = [int.from_bytes(content[i:i + 8], "little") for i in range(0, len(content), 8)]
        found = [int(value) for value in (*self.sums(self.columns()), *self.sorted_sums(self.sessions()))]
        require(found == wanted, f"sums {found}, wanted {wanted}")
        self.measures = {name: lambda read=read: seconds_of(self.threads, read)
                         for name, read in (("columns", self.columns), ("sessions", self.sessions))}


class Pandas(Loading):
    def prepare(self):
        import pandas

        self.pandas = pandas
        try:
            pandas.set_option("mode.max_threads", self.threads)
        except pandas.errors.OptionError:  # before 3.1 it has one thread
            pass

    def columns(self):
        return self.pandas.read_csv(self.path, sep="\t")

    def sessions(self):
        events = self.columns().sort_values(["SessionId", "Time"], kind="stable", ignore_index=True)
        for number, column in (("session", "SessionId"), ("item", "ItemId")):
            events[number] = self.pandas.factorize(events[column])[0]
        return events

    def sums(self, events):
        milliseconds = (events.Time * 1000).round().astype("int64")
        return len(events), events.SessionId.sum(), events.ItemId.sum(), milliseconds.sum()

    def sorted_sums(self, events):
        return (events.ItemId * (events.index % 1000)).sum(), events["session"].max() + 1, events["item"].max() + 1


class Polars(Loading):
    def prepare(self):
        import polars

        self.polars = polars
        require(polars.thread_pool_size() == self.threads, "another number of threads")

    def columns(self):
        return self.polars.read_csv(self.path, separator="\t")

    def sessions(self):
        events = self.columns().sort("SessionId", "Time", maintain_order=True)
        return events.with_columns(session=self.polars.col("SessionId").rle_id(),
                                   item=self.polars.col("ItemId").rank("dense"))

    def sums(self, events):
        milliseconds = (events["Time"] * 1000).round().cast(self.polars.Int64)
        return len(events), events["SessionId"].sum(), events["ItemId"].sum(), milliseconds.sum()

    def sorted_sums(self, events):
        rows = self.polars.int_range(len(events), eager=True) % 1000
        return (events["ItemId"] * rows).sum(), events["session"].max() + 1, events["item"].max()


class DuckDb(Loading):
    def prepare(self):
        import duckdb

        self.database = duckdb.connect(config={"threads": self.threads})

    def make(self, name, query):
        self.database.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")
        return name

    def columns(self):
        return self.make("events", f"SELECT * FROM read_csv('{self.path}', delim='\t')")

    def sessions(self):
        """Joins are twice as fast as dense_rank()."""
        events = self.columns()

        def numbered(name, column):
            return (f"{name}s AS MATERIALIZED (SELECT {column}, row_number() OVER () AS {name} "
                    f"FROM (SELECT DISTINCT {column} FROM {events}))")

        return self.make("sorted", f"WITH {numbered('item', 'ItemId')}, {numbered('session', 'SessionId')} "
                         f"SELECT {events}.*, session, item FROM {events} JOIN items USING (ItemId) "
                         "JOIN sessions USING (SessionId) ORDER BY SessionId, Time")

    def one_row(self, query):
        return self.database.execute(query).fetchone()

    def sums(self, events):
        return self.one_row("SELECT count(*), sum(SessionId), sum(ItemId), sum(CAST(round(Time * 1000) AS BIGINT)) "
                            f"FROM {events}")

    def sorted_sums(self, events):
        return self.one_row(f"SELECT sum(ItemId * (rowid % 1000)), max(session), max(item) FROM {events}")


SIDES = {("torch", "serving"): TorchServing, ("torch", "evaluation"): TorchEvaluation,
         ("torch", "training"): TorchTraining, ("faiss", "serving"): FaissServing, ("pandas", "loading"): Pandas,
         ("polars", "loading"): Polars, ("duckdb", "loading"): DuckDb}


def main():
    library, kind = sys.argv[1:3]
    needed = [library, "numpy"] if library in ("torch", "faiss") else [library]
    try:
        modules = [importlib.import_module(name) for name in needed]
    except ImportError as error:
        print(f"missing {error}", flush=True)
        return
    side = SIDES[library, kind](Arguments(sys.argv[3:]))
    print(f"ready {library} {modules[0].__version__}", flush=True)
    for line in sys.stdin:
        print(side.measures[line.strip()](), flush=True)


if __name__ == "__main__":
    main()
