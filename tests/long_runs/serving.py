#!/usr/bin/env python3
"""Serves for an hour while models are exchanged: serving.py PROGRAM [--minutes 60] [--folder FOLDER]

Clients feed events of many visitors and ask for lists; a new model takes the place of the old one again and again. No
request may fail, memory must stay flat and latencies steady. Writes serving.tsv and serving.svg.
"""
import http.client
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import threading
import time

from samples import Samples, options_of_run, parse, resident_mib

VISITORS = 2000
ITEMS = range(1, 100)  # frequent enough to be in every model
PAUSE = 0.004  # of a client between requests, so that the load is steady


def start_server(program, folder):
    server = subprocess.Popen([program, "serve", "model.safetensors", "--listen", "127.0.0.1:0"], cwd=folder,
                              stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if match := re.search(r"http://127\.0\.0\.1:(\d+)$", line.strip()):
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, int(match[1])
    sys.exit("the server did not start")


class Client(threading.Thread):
    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.seconds = []
        self.failed = []
        self.ending = False

    def run(self):
        while not self.ending:
            body = json.dumps({"item": str(self.random.choice(ITEMS)), "n": 20})
            start = time.monotonic()
            self.connection.request("POST", f"/v1/sessions/v{self.random.randrange(VISITORS)}/events", body,
                                    {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            text = answer.read()
            self.seconds.append(time.monotonic() - start)
            if answer.status != 200:
                self.failed.append(f"{answer.status} {text[:200]}")
            time.sleep(PAUSE)


def watch(server, port, models, served, options):
    """Exchanges the model and takes samples until the time is over."""
    folder = options.folder
    clients = [Client(port, seed) for seed in range(options.clients)]
    for client in clients:
        client.start()
    samples = Samples(folder / "serving.tsv", "memory [MiB]", "median [ms]", "p99 [ms]")
    n_reloads, n_answers, next_reload = 0, 0, time.monotonic() + options.reload_seconds
    while samples.minutes() < options.minutes:
        time.sleep(options.minutes / 6)
        if server.poll() is not None:
            sys.exit(f"the server ended by itself, exit status {server.returncode}")
        if time.monotonic() >= next_reload:
            n_reloads += 1
            new = folder / "new.safetensors"
            new.write_bytes(models[n_reloads % 2].read_bytes())
            os.replace(new, served)
            next_reload += options.reload_seconds
        milliseconds = []
        for client in clients:
            if not client.is_alive() or client.failed:
                sys.exit(f"a request failed: {client.failed[:1] or 'no answer'}")
            taken, client.seconds = client.seconds, []
            milliseconds += [1000 * s for s in taken]
        n_answers += len(milliseconds)
        milliseconds.sort()
        samples.add(resident_mib(server.pid), statistics.median(milliseconds),
                    milliseconds[len(milliseconds) * 99 // 100])
    for client in clients:
        client.ending = True
        client.join()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/metrics")
    loaded = re.search(rb'gru4rec_reloads_total\{result="loaded"\} (\d+)', connection.getresponse().read())
    n_loaded = int(loaded[1]) if loaded else 0
    server.terminate()
    if server.wait(30) != 0:
        sys.exit(f"the server ended with exit status {server.returncode}")
    print(f"{n_answers} answers, {n_reloads} models put in place, {n_loaded} loaded")
    if n_loaded < n_reloads - 1:  # the server may not have seen the last one
        sys.exit("models were put in place and not loaded")
    samples.judge(folder, "serving", "Serving while models are exchanged", memory=(0.02, 2), median=(0.2, 0.1))


def main():
    parser = options_of_run(__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--reload-seconds", type=float, default=30)
    parser.add_argument("--clients", type=int, default=2)
    options = parse(parser)
    folder, program = options.folder, options.program.resolve()

    subprocess.run([program, "synth", "train.tsv"], cwd=folder, check=True, capture_output=True)
    models = [folder / "first.safetensors", folder / "second.safetensors"]
    for seed, model in enumerate(models, start=1):
        subprocess.run([program, "train", "train.tsv", "--params", "n_epochs=1", "--seed", str(seed), "--save", model],
                       cwd=folder, check=True, capture_output=True)
    served = folder / "model.safetensors"
    served.write_bytes(models[0].read_bytes())
    server, port = start_server(program, folder)
    try:
        watch(server, port, models, served, options)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
