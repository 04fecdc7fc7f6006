#!/usr/bin/env python3
"""Makes each call of the system fail once while the program works: faults.py PROGRAM [--only WORD] [--most 400]

For every operation (preprocess, train, evaluate, serve, ...), every kind of call (open, read, write, memory, ...) and
n = 1, 2, 3, ... the operation runs with its n-th call failing, until it ends before the n-th. failing_calls.c does
that. Each run must end in one of three ways:

    failed    with an exit status of its own, and a line that names file and reason ("out of memory" if that was it)
    the same  with the results of an undisturbed run
    served    the server answered every request, with an error or with the right list, and stopped when it was told to

Files then have their old content or all of the new, no temporary file is left, and the same command without faults
ends with the bytes of an undisturbed run. A table shows what happened. Exit status 1: something else did.
"""
import argparse
import collections
import concurrent.futures
import errno
import gzip
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
MOST_SECONDS = 60
SHORT = 0

# What each kind of call fails with. EINTR is left out: a program without handlers that interrupt never sees it.
ERRORS = {
    "open": [errno.EACCES, errno.EMFILE],
    "read": [errno.EIO, SHORT],
    "map": [errno.ENOMEM],
    "write": [errno.ENOSPC, errno.EIO, SHORT],
    "sync": [errno.EIO],
    "close": [errno.EIO],
    "truncate": [errno.EIO],
    "rename": [errno.EACCES, errno.EROFS],
    "remove": [errno.EACCES],
    "stat": [errno.EIO, errno.EACCES],
    "lock": [errno.ENOLCK],
    "list": [errno.EIO],
    "mode": [errno.EPERM],
    "memory": [errno.ENOMEM],
}
# A full disk and a lack of memory may last. (A server that never gets memory again cannot answer either.)
LASTING = {("write", errno.ENOSPC), ("memory", errno.ENOMEM)}

PARAMETERS = "layers=8,batch_size=16,n_sample=16,n_epochs=2,momentum=0.1,dropout_p_hidden=0.1"


def compile_shim(folder, with_memory=True):
    """The library to preload; None: there is no C compiler, or this is not Linux."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = os.path.join(folder, "failing_calls.so")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", *([] if with_memory else ["-DFAULTS_WITHOUT_MEMORY"]), "-o",
                    library, str(HERE / "failing_calls.c"), "-ldl", "-lpthread"], check=True)
    return library


class Fault:
    """One call that fails: the n-th of its kind."""
    def __init__(self, kind, error, n, lasts=False):
        self.kind, self.error, self.n, self.lasts = kind, error, n, lasts

    def name(self):
        how = "short" if self.error == SHORT else errno.errorcode[self.error]
        return f"{self.kind} {how}{' from then on' if self.lasts else ''}"

    def environment(self, shim, folder, report):
        preload = [os.environ["FAULTS_PRELOAD_FIRST"]] if os.environ.get("FAULTS_PRELOAD_FIRST") else []
        return {**os.environ, "LD_PRELOAD": " ".join([*preload, shim]), "FAULT_KIND": self.kind,
                "FAULT_NTH": str(self.n), "FAULT_ERROR": str(self.error), "FAULT_STAYS": str(int(self.lasts)),
                "FAULT_FOLDER": str(folder), "FAULT_REPORT": str(report)}


class Failure(Exception):
    """What must not happen."""


def folder_in_memory():
    """A temporary folder. In memory if possible: what is tested syncs its files again and again."""
    return tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def temporaries(folder):
    return [path for path in folder.rglob(".*") if re.search(r"\.tmp\d+$", path.name)]


def new_report(folder):
    """Where failing_calls.c writes what it does to a run in this folder: beside the folder."""
    report = folder.parent / (folder.name + ".report")
    report.unlink(missing_ok=True)
    return report


def first_failed_call(report):
    """What follows "failed" in the report; None: the fault was not reached."""
    lines = report.read_text().splitlines() if report.exists() else []
    return next((line.removeprefix("failed ") for line in lines if line.startswith("failed ")), None)


def require_no_sanitizer(text, failed_call):
    if any(word in text for word in ("AddressSanitizer", "LeakSanitizer", "runtime error")):
        raise Failure(f"after {failed_call}: {text}")


def require_no_temporary(folder, fault, failed_call, messages):
    left = temporaries(folder)
    if left and fault.kind != "remove":  # the next run removes it
        raise Failure(f"leaves {', '.join(path.name for path in left)} after {failed_call}: {messages}")


def without_times(text):
    """The output of a command without what differs between two runs."""
    return re.sub(r"\d+\.\d+ s\b.*|fit s.*|\s+\d+\.\d+\s+\d+\.\d+$", "", text, flags=re.M)


def explains(text, fault, failed_call):
    """Whether the messages name the reason, and the file that the call was for."""
    if failed_call is None:
        return False
    if fault.kind == "memory":
        return "emory" in text or os.strerror(errno.EAGAIN) in text  # as of a thread that cannot be started
    path = pathlib.Path(failed_call.partition(" ")[2])
    name = re.sub(r"\.tmp\d+$", "", path.name).lstrip(".")
    reason = os.strerror(fault.error) if fault.error else ""
    return reason in text and name in text


class Command:
    """An operation that is one run of the program."""
    def __init__(self, name, arguments, results):
        """`results`: files that the command makes, of which an undisturbed run makes the same bytes."""
        self.name, self.arguments, self.results = name, arguments, results

    def arguments_in(self, folder, arguments):
        return [argument.replace("@", str(folder) + "/") for argument in arguments]

    def run(self, program, folder, environment=None):
        return subprocess.run([program, *self.arguments_in(folder, self.arguments)], env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", timeout=MOST_SECONDS)

    def undisturbed(self, program, folder):
        done = self.run(program, folder)
        if done.returncode != 0:
            sys.exit(f"{self.name}: an undisturbed run failed: {done.stderr}")
        return {"output": without_times(done.stdout).replace(str(folder), ""),
                **{name: (folder / name).read_bytes() for name in self.results}}

    def check(self, program, folder, fault, shim, expected, before):
        """Runs with the fault. Returns how it ended; None if the fault was not reached."""
        report = new_report(folder)
        try:
            done = self.run(program, folder, fault.environment(shim, folder, report))
        except subprocess.TimeoutExpired as hung:
            raise Failure("hangs") from hung
        failed_call = first_failed_call(report)
        if failed_call is None and done.returncode == 0:
            return None
        require_no_sanitizer(done.stderr, failed_call)
        if not 0 <= done.returncode <= 4:
            raise Failure(f"exit status {done.returncode} after {failed_call}: {done.stderr[-3000:]}")
        self.check_results(folder, done, failed_call, expected, before)
        if done.returncode != 0 and not explains(done.stderr, fault, failed_call):
            raise Failure(f"does not name file and reason after {failed_call}: {done.stderr!r}")
        require_no_temporary(folder, fault, failed_call, done.stderr)
        self.check_next_run(program, folder, f"the run after {failed_call} ({done.stderr.strip()!r})", expected)
        return "the same" if done.returncode == 0 else "failed"

    def check_results(self, folder, done, failed_call, expected, before):
        for name in self.results:
            content = (folder / name).read_bytes() if (folder / name).exists() else None
            allowed = [expected[name]] if done.returncode == 0 else [before.get(name), expected[name]]
            if content not in allowed and not name.endswith(".checkpoint"):
                raise Failure(f"{name} is neither the old file nor the new one after {failed_call}; exit status "
                              f"{done.returncode}: {done.stderr}")
        if done.returncode == 0 and without_times(done.stdout).replace(str(folder), "") != expected["output"]:
            raise Failure(f"another output after {failed_call}: {done.stdout} {done.stderr}")

    def check_next_run(self, program, folder, which, expected):
        """The same command without a fault."""
        again = self.run(program, folder)
        if again.returncode != 0:
            raise Failure(f"{which} failed: {again.stderr}")
        for name in self.results:
            if (folder / name).read_bytes() != expected[name]:
                raise Failure(f"{which} made another {name}")
        if left := temporaries(folder):
            raise Failure(f"{which} leaves {', '.join(path.name for path in left)}")


class Serving:
    """An operation that is a life of the server: start, requests, a filter, another model, the stop."""
    name = "serve"
    results = ["state/filter.json"]

    def start(self, program, folder, environment=None):
        with open(folder / "messages", "w", encoding="utf-8") as log:
            return subprocess.Popen([program, "serve", str(folder / "model"), "--listen", "127.0.0.1:0", "--threads",
                                     "2", "--state", str(folder / "state"), "--catalogue", str(folder / "names.tsv"),
                                     "--log", str(folder / "requests.log")], env=environment, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=log)

    @staticmethod
    def messages(folder):
        return (folder / "messages").read_text(encoding="utf-8", errors="replace")

    def port_of(self, server, folder):
        """Once it listens; None: it ended."""
        end = time.monotonic() + MOST_SECONDS
        while time.monotonic() < end:
            if found := re.search(r"at http://127.0.0.1:(\d+)", self.messages(folder)):
                return int(found.group(1))
            if server.poll() is not None:
                return None
            time.sleep(0.005)
        raise Failure("neither serves nor ends")

    @staticmethod
    def ask(port, method, path, body=None):
        """(status, document); (0, None): the connection ended without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {} if body is None else {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text and path != "/metrics" else text
        except (ConnectionError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def live(self, server, folder):
        """Everything that is asked in a life. Returns the answers."""
        port = self.port_of(server, folder)
        if port is None:
            return None
        answers = {}
        items = ["1", "2", "3"]
        for n in range(3):
            answers[f"stateless {n}"] = self.ask(port, "POST", "/v1/recommend", {"session": items[: n + 1], "n": 3})
            answers[f"live {n}"] = self.ask(port, "POST", "/v1/sessions/anna/events", {"item": items[n], "n": 3})
        answers["filter"] = self.ask(port, "PUT", "/v1/filter", {"exclude": ["1"]})
        answers["search"] = self.ask(port, "GET", "/v1/items?search=1&n=5")
        answers["similar"] = self.ask(port, "GET", "/v1/items/1/similar?n=3")
        os.replace(folder / "next_model", folder / "model")
        server.send_signal(signal.SIGHUP)
        end = time.monotonic() + MOST_SECONDS
        while True:
            status, ready = self.ask(port, "GET", "/readyz")
            if status == 200 and ready["last_reload"] == "loaded":  # after a failure the server tries it again
                break
            if server.poll() is not None:
                raise Failure(f"the server ended with {server.returncode}: {self.messages(folder)}")
            if time.monotonic() > end:
                raise Failure(f"the model was never loaded: {ready} {self.messages(folder)}")
            time.sleep(0.01)
        answers["reloaded"] = self.ask(port, "POST", "/v1/recommend", {"session": items, "n": 3})
        answers["metrics"] = self.ask(port, "GET", "/metrics")[:1]
        return answers

    @staticmethod
    def plain(answer):
        """Without what differs between two runs."""
        status, document = answer[0], answer[1] if len(answer) > 1 else None
        return status, {key: value for key, value in document.items() if key != "microseconds"} if document else None

    def one_life(self, program, folder, environment=None):
        server = self.start(program, folder, environment)
        try:
            answers = self.live(server, folder)
            if answers is not None:
                server.send_signal(signal.SIGTERM)
            status = server.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired as hung:
            raise Failure(f"does not stop: {self.messages(folder)}") from hung
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()
        return answers, status

    def undisturbed(self, program, folder):
        answers, status = self.one_life(program, folder)
        if answers is None or status != 0:
            sys.exit(f"serve: an undisturbed run failed: {self.messages(folder)}")
        return {"answers": {name: self.plain(answer) for name, answer in answers.items()},
                "state/filter.json": (folder / "state" / "filter.json").read_bytes()}

    def check(self, program, folder, fault, shim, expected, before):
        report = new_report(folder)
        answers, status = self.one_life(program, folder, fault.environment(shim, folder, report))
        messages = self.messages(folder)
        failed_call = first_failed_call(report)
        if failed_call is None and status == 0:
            return None
        require_no_sanitizer(messages, failed_call)
        if answers is None:
            if status not in (1, 2, 3) or not explains(messages, fault, failed_call):
                raise Failure(f"ended with {status} after {failed_call}: {messages}")
        elif status != 0:
            raise Failure(f"exit status {status} after {failed_call}: {messages}")
        kept = folder / "state" / "filter.json"
        content = kept.read_bytes() if kept.exists() else None
        if content not in (before.get("state/filter.json"), expected["state/filter.json"]):
            raise Failure(f"filter.json is neither old nor new after {failed_call}")
        if answers is not None and answers["filter"][0] == 200 and content != expected["state/filter.json"]:
            raise Failure(f"the filter was accepted and is not kept after {failed_call}")
        require_no_temporary(folder, fault, failed_call, messages)
        if answers is None:
            return "failed"
        return "served" if self.is_disturbed(answers, expected["answers"], failed_call) else "the same"

    def is_disturbed(self, answers, expected, failed_call):
        """Whether a request was answered with an error, or in another way because of an error before it."""
        disturbed = False
        for name, answer in answers.items():
            if self.plain(answer) == expected[name]:
                continue
            disturbed = True
            later = name in ("similar", "reloaded") and answers["filter"][0] != 200  # what was refused filters nothing
            later = later or name.startswith("live") and any(answers[f"live {n}"][0] != 200 for n in range(3))
            if answer[0] not in (0, 500, 503) and not later:
                raise Failure(f"{name} was answered {answer}, expected {expected[name]}, after {failed_call}")
        return disturbed


def make_inputs(program, folder):
    """The files that the operations work on, made by the program itself."""
    def run(*arguments):
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{arguments}: {done.stderr}")
    run("synth", folder / "raw.tsv", "--sessions", 300, "--items", 30)
    run("synth", folder / "train.tsv", "--test", folder / "test.tsv", "--sessions", 120, "--items", 30, "--seed", 7)
    run("synth", folder / "later.tsv", "--sessions", 60, "--items", 30, "--seed", 8)
    (folder / "raw.tsv.gz").write_bytes(gzip.compress((folder / "raw.tsv").read_bytes(), mtime=0))
    rows = [line.split("\t") for line in (folder / "train.tsv").read_text().splitlines()]
    with gzip.open(folder / "train.jsonl.gz", "wt") as lines:
        for row in rows[1:]:
            lines.write(json.dumps(dict(zip(rows[0], row))) + "\n")
    sessions = collections.defaultdict(list)
    for row in rows[1:]:
        sessions[row[0]].append(row[1])
    (folder / "train.lines").write_text("".join(" ".join(items) + "\n" for items in sessions.values()))
    (folder / "parts").mkdir()
    half = len(rows) // 2
    for name, part in (("a.tsv", rows[1:half]), ("b.tsv", rows[half:])):
        (folder / "parts" / name).write_text("".join("\t".join(row) + "\n" for row in [rows[0], *part]))
    run("train", folder / "train.tsv", "--params", PARAMETERS.replace("n_epochs=2", "n_epochs=1"), "--save",
        folder / "model", "--checkpoint", folder / "model.checkpoint")
    shutil.copy(folder / "model.checkpoint", folder / "half.checkpoint")
    run("train", folder / "train.tsv", "--params", PARAMETERS, "--save", folder / "next_model")
    (folder / "state").mkdir()
    (folder / "out").mkdir()
    items = sorted({row[1] for row in rows[1:]})
    (folder / "names.tsv").write_text("id\tname\n" + "".join(f"{item}\tItem {item}\n" for item in items))
    (folder / "params.json").write_text(json.dumps({"layers": [8], "batch_size": 16, "n_sample": 16, "n_epochs": 1}))
    # What is there before and is to be replaced.
    for name in ("saved", "lists.tsv", "ranks.tsv", "out/test.tsv"):
        (folder / name).write_text("old\n")
    run("evaluate", folder / "model", folder / "test.tsv", "--report", folder / "run.json", "--details")


OPERATIONS = [
    Command("preprocess", ["preprocess", "@raw.tsv", "--out", "@out", "--test-duration", "1h"],
            ["out/train_full.tsv", "out/test.tsv", "out/train_tr.tsv", "out/train_valid.tsv"]),
    Command("preprocess, packed", ["preprocess", "@raw.tsv.gz", "--out", "@out", "--test-duration", "1h"],
            ["out/train_full.tsv", "out/test.tsv", "out/train_tr.tsv", "out/train_valid.tsv"]),
    Command("train", ["train", "@train.tsv", "--params", PARAMETERS, "--save", "@saved", "--resume", "@run.checkpoint",
                      "--checkpoint-steps", "4", "--threads", "2"], ["saved", "run.checkpoint"]),
    Command("train, resumed", ["train", "@train.tsv", "--params", PARAMETERS, "--save", "@saved", "--resume",
                               "@half.checkpoint"], ["saved", "half.checkpoint"]),
    Command("train, JSON lines", ["train", "@train.jsonl.gz", "--param-file", "@params.json", "--save", "@saved"],
            ["saved"]),
    Command("train, sessions per line", ["train", "@train.lines", "--format", "sessions", "--param-file",
                                         "@params.json", "--save", "@saved"], ["saved"]),
    Command("train, a folder", ["train", "@parts", "--param-file", "@params.json", "--save", "@saved"], ["saved"]),
    Command("train, continued", ["train", "@later.tsv", "--continue", "@model", "--save", "@saved"], ["saved"]),
    Command("train, early stopping", ["train", "@train.tsv", "--params", PARAMETERS, "--valid", "@test.tsv",
                                      "--patience", "1", "--save", "@saved", "--resume", "@run.checkpoint"],
            ["saved", "run.checkpoint"]),
    Command("evaluate", ["evaluate", "@model", "@test.tsv", "--ranks", "@ranks.tsv", "--coverage"], ["ranks.tsv"]),
    Command("recommend", ["recommend", "@model", "--sessions", "@test.tsv", "--top", "5", "--out", "@lists.tsv"],
            ["lists.tsv"]),
    Command("recommend, one", ["recommend", "@model", "--session", "1,2,3"], []),
    Command("import", ["import", "@model", "--save", "@saved"], ["saved"]),
    Command("inspect", ["inspect", "@model"], []),
    Command("describe", ["describe", "@train.tsv"], []),
    Command("baselines", ["baselines", "@train.tsv", "@test.tsv"], []),
    Command("compare", ["compare", "@run.json", "--report", "@page.html"], ["page.html"]),
    Command("synth", ["synth", "@made.tsv", "--test", "@made_test.tsv", "--sessions", "50", "--items", "20"],
            ["made.tsv", "made_test.tsv"]),
    Serving(),
]


class Bench:
    """The inputs, the program and the library, and a folder for each run."""
    def __init__(self, program, work, with_memory=True):
        self.program = program
        self.work = pathlib.Path(work)
        self.shim = compile_shim(work, with_memory)
        self.inputs = self.work / "inputs"
        self.inputs.mkdir()
        make_inputs(program, self.inputs)

    def fresh_folder(self, name):
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.inputs, folder)
        return folder

    def expected(self, operation):
        return operation.undisturbed(self.program, self.fresh_folder("undisturbed"))

    def count(self, operation, kind):
        """How many calls of a kind an undisturbed run has."""
        folder = self.fresh_folder("counted")
        report = new_report(folder)
        environment = Fault(kind, errno.EIO, 0).environment(self.shim, folder, report)
        if isinstance(operation, Serving):
            operation.one_life(self.program, folder, environment)
        else:
            operation.run(self.program, folder, environment)
        return sum(int(line.split()[1]) for line in report.read_text().splitlines() if line.startswith("calls"))

    def check(self, operation, fault, expected, name):
        folder = self.fresh_folder(name)
        before = {result: (folder / result).read_bytes() for result in operation.results if (folder / result).exists()}
        return operation.check(self.program, folder, fault, self.shim, expected, before)


def moments(total, most, seed):
    """Which calls fail: all, or the first ones and some of the others."""
    if total + 1 <= most:
        return list(range(1, total + 1))
    first = most // 4
    others = random.Random(seed).sample(range(first + 1, total + 1), most - first)
    return [*range(1, first + 1), *sorted(others)]


def examine_all(bench, operation, faults, expected, jobs):
    """Pairs of a fault and how the operation ended: words for the table, None or a Failure."""
    def examine_one(fault):
        try:
            # A folder for each thread: a run that hangs keeps its own.
            return fault, bench.check(operation, fault, expected, threading.current_thread().name)
        except Failure as failure:
            return fault, failure
        except Exception as failure:  # pylint: disable=broad-except
            return fault, Failure(f"{type(failure).__name__}: {failure}")
    with concurrent.futures.ThreadPoolExecutor(jobs, thread_name_prefix="run") as pool:
        yield from pool.map(examine_one, faults)


def examine(bench, operation, options):
    """Prints lines of the table. Returns what went wrong."""
    expected = bench.expected(operation)
    wrong = []
    for kind in ERRORS:
        if options.kinds and kind not in options.kinds:
            continue
        total = bench.count(operation, kind)
        if total == 0:
            continue
        for error in ERRORS[kind]:
            can_last = (kind, error) in LASTING and (kind != "memory" or not isinstance(operation, Serving))
            for lasts in [False, True] if can_last else [False]:
                outcomes = collections.Counter()
                faults = [Fault(kind, error, n, lasts) for n in moments(total, options.most, options.seed)]
                for fault, outcome in examine_all(bench, operation, faults, expected, options.jobs):
                    if isinstance(outcome, Failure):
                        outcomes["WRONG"] += 1
                        wrong.append(f"{operation.name}, {fault.name()}, call {fault.n}: {outcome}")
                        if not options.quiet:
                            print("    " + wrong[-1].replace("\n", "\n        "), flush=True)
                    else:
                        outcomes[outcome or "not reached"] += 1
                found = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items()))
                print(f"{operation.name:<26}{faults[0].name():<28}{len(faults):>6}  of {total:>6}   {found}",
                      flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--only", help="operations whose name contains this")
    parser.add_argument("--kinds", type=lambda text: text.split(","), help="kinds of calls: open,read,...")
    parser.add_argument("--most", type=int, default=400, help="faults of one kind and error in an operation")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-memory", action="store_true", help="for programs built with AddressSanitizer")
    parser.add_argument("--quiet", action="store_true", help="print what went wrong at the end only")
    options = parser.parse_args()
    with folder_in_memory() as work:
        bench = Bench(os.path.abspath(options.program), work, not options.without_memory)
        if bench.shim is None:
            sys.exit("this needs Linux and a C compiler")
        if options.without_memory:
            del ERRORS["memory"]
        wrong = []
        for operation in OPERATIONS:
            if options.only is None or options.only in operation.name:
                wrong += examine(bench, operation, options)
    print(f"{len(wrong)} wrong")
    for line in wrong if options.quiet else []:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
