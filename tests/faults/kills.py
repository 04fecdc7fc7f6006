#!/usr/bin/env python3
"""Kills the program (SIGKILL) at random moments: kills.py PROGRAM [--kills 200] [--seed 1]

Half of the kills hit training that writes checkpoints and is started again until it is done; the others hit commands
that replace files, and a server whose filter and model are replaced meanwhile. Files must then be the old ones or the
new ones, and in the end everything has the bytes of an undisturbed run. tests/server/killed.py does the same to
servers that share sessions in Redis. Exit status 1: something was lost.
"""
import argparse
import collections
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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from faults import Command, Failure, Serving, make_inputs, temporaries  # pylint: disable=wrong-import-position

# Long enough that most kills hit it.
TRAINING = "layers=64,batch_size=8,n_sample=256,n_epochs=3,momentum=0.1,dropout_p_hidden=0.1"


class Killer:
    def __init__(self, program, inputs, work, seed):
        self.program, self.inputs, self.work = program, inputs, work
        self.random = random.Random(seed)
        self.counts = collections.Counter()

    def fresh_folder(self, name):
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.inputs, folder)
        return folder

    def run_for(self, arguments, seconds):
        """Whether the command was killed, rather than done before."""
        with subprocess.Popen([self.program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                error = process.communicate(timeout=seconds)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                return True
            if process.returncode != 0:
                raise Failure(f"{' '.join(arguments)} failed: {error.decode()}")
            return False

    def duration_and_results(self, command):
        folder = self.fresh_folder("undisturbed")
        begin = time.monotonic()
        expected = command.undisturbed(self.program, folder)
        return time.monotonic() - begin, expected

    def kill_command(self, command, kills):
        """Kills it and starts it again until it is done, over and over."""
        duration, expected = self.duration_and_results(command)
        while self.counts[command.name] < kills:
            folder = self.fresh_folder("killed")
            before = {name: (folder / name).read_bytes() for name in command.results if (folder / name).exists()}
            arguments = command.arguments_in(folder, command.arguments)
            done = False
            while not done:
                enough = self.counts[command.name] >= kills
                seconds = None if enough else self.random.uniform(0, duration * self.random.choice([0.1, 0.4, 1.2]))
                done = not self.run_for(arguments, seconds)
                self.counts[command.name] += 0 if done else 1
                self.counts["kills that left a temporary file"] += not done and bool(temporaries(folder))
                self.check_results(command, folder, before, expected)
            for name in command.results:
                if (folder / name).read_bytes() != expected[name]:
                    raise Failure(f"{command.name}: {name} has other bytes than that of an undisturbed run")
            if left := temporaries(folder):
                raise Failure(f"{command.name}: {left} are left at the end")
            self.counts[f"{command.name}, recovered"] += 1

    def check_results(self, command, folder, before, expected):
        """After a kill, or at the end."""
        for name in command.results:
            path = folder / name
            if name.endswith(".checkpoint"):
                if path.exists() and subprocess.run([self.program, "inspect", str(path)], capture_output=True,
                                                    check=False).returncode != 0:
                    raise Failure(f"{name} is damaged after a kill")
            elif (path.read_bytes() if path.exists() else None) not in (before.get(name), expected[name]):
                raise Failure(f"{name} is neither the old file nor the new one after a kill")

    def content_hash(self, model):
        done = subprocess.run([self.program, "inspect", "--json", str(model)], capture_output=True, check=True)
        return json.loads(done.stdout)["content_hash"]

    def kill_server(self, kills):
        """Filters 0, 1, 2, ... are put one after the other, and two models take turns, until the server is killed."""
        serving = Serving()
        folder = self.fresh_folder("killed")
        models = [(folder / name).read_bytes() for name in ("model", "next_model")]
        put = -1
        hashes = [self.content_hash(folder / name) for name in ("model", "next_model")]
        lists = {}
        for _ in range(kills):
            server = serving.start(self.program, folder)
            try:
                port = serving.port_of(server, folder)
                if port is None:
                    raise Failure(f"the server does not start after a kill: {serving.messages(folder)}")
                found = serving.ask(port, "GET", "/v1/filter")[1]
                if put >= 0 and found not in ({"exclude": [f"f{put}"]}, {"exclude": [f"f{put + 1}"]}):
                    raise Failure(f"the filter is {found}, the last that was accepted was {put}")
                put = int(re.sub(r"\D", "", found["exclude"][0])) if found["exclude"] else put
                now = (folder / "model").read_bytes()
                answer = serving.ask(port, "POST", "/v1/recommend", {"session": ["1", "2"], "n": 5})[1]
                if answer["model"] != hashes[models.index(now)]:
                    raise Failure("the server serves another model than the file holds")
                if lists.setdefault(answer["model"], answer["items"]) != answer["items"]:
                    raise Failure("a list has changed after a kill")
                killer = threading.Timer(self.random.uniform(0.01, 0.3), server.kill)
                killer.start()
                while server.poll() is None:
                    if serving.ask(port, "PUT", "/v1/filter", {"exclude": [f"f{put + 1}"]})[0] != 200:
                        continue
                    put += 1
                    self.counts["filters that were accepted"] += 1
                    if put % 5 == 0 and server.poll() is None:
                        (folder / "new").write_bytes(models[1 - models.index((folder / "model").read_bytes())])
                        os.replace(folder / "new", folder / "model")
                        server.send_signal(signal.SIGHUP)
                killer.join()
            finally:
                server.kill()
                server.wait()
            self.counts["serve"] += 1
        if len(lists) != 2:
            raise Failure("the model was never replaced")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    with tempfile.TemporaryDirectory() as work:
        inputs = pathlib.Path(work) / "inputs"
        inputs.mkdir()
        make_inputs(program, inputs)
        killer = Killer(program, inputs, pathlib.Path(work), options.seed)
        training = ["train", "@train.tsv", "--params", TRAINING, "--save", "@saved", "--resume", "@run.checkpoint",
                    "--checkpoint-steps", "3"]
        commands = [
            (Command("train with checkpoints", training, ["saved", "run.checkpoint"]), options.kills // 4),
            (Command("train with early stopping", [*training, "--valid", "@test.tsv", "--patience", "1"],
                     ["saved", "run.checkpoint"]), options.kills // 4),
            (Command("preprocess", ["preprocess", "@raw.tsv", "--out", "@out", "--test-duration", "1h"],
                     ["out/train_full.tsv", "out/test.tsv", "out/train_tr.tsv", "out/train_valid.tsv"]),
             options.kills // 10),
            (Command("recommend", ["recommend", "@model", "--sessions", "@test.tsv", "--out", "@lists.tsv"],
                     ["lists.tsv"]), options.kills // 10),
            (Command("import", ["import", "@model", "--save", "@saved"], ["saved"]), options.kills // 10)]
        try:
            for command, kills in commands:
                killer.kill_command(command, kills)
            killer.kill_server(options.kills - sum(kills for _, kills in commands))
        except Failure as failure:
            print(failure)
            sys.exit(1)
        for name, count in killer.counts.items():
            print(f"{count:>6}  {name}")
        print("everything was recovered")


if __name__ == "__main__":
    main()
