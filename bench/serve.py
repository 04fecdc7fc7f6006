#!/usr/bin/env python3
"""Measures a running server: latencies at fixed rates and at full load, CPU time per request, reloads under load, idle
and slow clients, memory. Prints tables in Markdown.

    bench/serve.py build/release/bin/gru4rec [--library build/bench/bin/serve_library] [--folder DIR] [--seconds 10]

Client and server share the machine: the server gets one thread, so that of two cores one is the client's.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

UNITS = 100
SHOPS = {10_000: 60_000, 100_000: 200_000}  # items of the catalogue: sessions


class Server:
    def __init__(self, program, model, *options):
        self.process = subprocess.Popen([program, "serve", str(model), "--listen", "127.0.0.1:0", *options],
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if match := re.search(r" at (http://[0-9.]+:(\d+))$", line.strip()):
                self.url, self.port = match[1], int(match[2])
                break
        else:
            sys.exit("the server did not start")
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def metric(self, name):
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.split()[-1])
        return 0.0

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Bench:
    def __init__(self, options):
        self.program = str(pathlib.Path(options.program).resolve())  # it is also run in the folder of the models
        self.library = options.library and str(pathlib.Path(options.library).resolve())
        self.seconds = options.seconds
        self.threads = str(options.threads)
        self.folder = pathlib.Path(options.folder or tempfile.mkdtemp(prefix="gru4rec-serve-"))
        self.folder.mkdir(exist_ok=True)

    def run(self, *arguments):
        return subprocess.run([self.program, *map(str, arguments)], cwd=self.folder, check=True, capture_output=True,
                              text=True)

    def shop(self, n_items):
        """A model and a test file; made once for a folder."""
        model, test = self.folder / f"shop{n_items}.safetensors", self.folder / f"test{n_items}.tsv"
        if not model.exists():
            # Synthetic sessions do not reach every item of the long tail: a few more are made.
            self.run("synth", "all.tsv", "--test", test, "--sessions", SHOPS[n_items], "--items", n_items)
            self.run("train", "all.tsv", "--params", f"layers={UNITS},n_epochs=1,n_sample=256,batch_size=128", "--save",
                     model)
        return model, test

    def replay(self, server, model, test, *options):
        """The report of a replay."""
        report = self.folder / "report.json"
        done = subprocess.run([self.program, "replay", str(model), str(test), "--url", server.url, "--report",
                               str(report), *map(str, options)], capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stdout + done.stderr, file=sys.stderr)
        return json.loads(report.read_text())

    def watched_replay(self, server, *arguments):
        """Also CPU microseconds of the server per request and requests ranked together, in the middle of the replay: at
        its end the sessions are deleted."""
        def figures():
            return server.cpu_seconds() * 1e6, server.metric("gru4rec_lists_total"), server.metric("gru4rec_turns_total")

        samples = []
        timers = [threading.Timer(self.seconds * part, lambda: samples.append(figures())) for part in (0.2, 0.8)]
        for timer in timers:
            timer.start()
        result = self.replay(server, *arguments, "--seconds", self.seconds)
        for timer in timers:
            timer.join()
        cpu, lists, turns = (end - begin for begin, end in zip(*samples))
        return result | {"cpu": cpu / max(1, lists), "together": lists / max(1, turns)}

    def http_cpu(self, server, rate, n_connections=16):
        """CPU microseconds of the server for a request that asks nothing of the library."""
        connections = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(n_connections)]
        text = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        sent, begin, cpu = 0, time.monotonic(), server.cpu_seconds()
        while time.monotonic() < begin + self.seconds:
            together = connections if rate is None else [connections[sent % n_connections]]
            for connection in together:
                connection.sendall(text)
            for connection in together:
                if b" 200 OK" not in connection.recv(1000):
                    sys.exit("GET /healthz was not answered with 200")
            sent += len(together)
            if rate is not None:
                time.sleep(max(0, begin + sent / rate - time.monotonic()))
        cpu = server.cpu_seconds() - cpu
        for connection in connections:
            connection.close()
        return cpu * 1e6 / sent

    def library_cpu(self, model, test, table, together, rate):
        """What the library alone takes, with as many sessions at a time and as often."""
        if not self.library:
            return ""
        done = subprocess.run([self.library, str(model), str(test), str(max(1, round(together))), str(rate or 0)],
                              check=True, capture_output=True, text=True)
        return f"{json.loads(done.stdout)[table]:.0f}"

    def load(self):
        print(f"Server: {self.threads} thread; replay: live sessions, n = 20, 16 connections. Latencies in ms, from when a "
              "request was due. CPU: the server's user and system time per request, in us. Together: requests that were "
              "ranked in one turn, on average. Library: `advance` and `recommend_many` alone, as many together, at the "
              "same rate. HTTP: CPU of the server for `GET /healthz` at the same rate.\n")
        print("| items | table | requests/s | p50 | p90 | p99 | max | errors | together | CPU | library | HTTP |")
        print("|---|---|---|---|---|---|---|---|---|---|---|---|")
        for n_items in SHOPS:
            model, test = self.shop(n_items)
            for table, options in (("exact", ["--exact"]), ("quantised", [])):
                server = Server(self.program, model, "--threads", self.threads, *options)
                self.replay(server, model, test, "--seconds", 1)
                for rate in (100, 1000, None):
                    result = self.watched_replay(server, model, test, *(["--rate", rate] if rate else []))
                    library = self.library_cpu(model, test, table, result["together"], rate)
                    http = self.http_cpu(server, rate)
                    times = result["milliseconds_from_due"]
                    print(f"| {n_items:,} | {table} | {result['requests_per_second']:,.0f}"
                          f"{'' if rate else ', all it takes'} | {times['p50']:.3f} | {times['p90']:.3f} | {times['p99']:.3f} | "
                          f"{times['max']:.1f} | {result['failed']} | {result['together']:.1f} | {result['cpu']:.0f} | {library} | {http:.0f} |",
                          flush=True)
                server.stop()
        print()

    def reloads(self, n=50):
        model, test = self.shop(10_000)
        other, served = self.folder / "other.safetensors", self.folder / "served.safetensors"
        if not other.exists():
            self.run("train", test, "--continue", model, "--params", "n_epochs=1", "--save", other)
        shutil.copy(model, served)
        server = Server(self.program, served, "--threads", self.threads)
        quiet = self.replay(server, model, test, "--stateless", "--rate", 1000, "--seconds", self.seconds)
        done = threading.Event()
        loaded = [0]

        def swap():
            for i in range(n):
                shutil.copy(other if i % 2 == 0 else model, self.folder / "new")
                os.replace(self.folder / "new", served)
                server.process.send_signal(signal.SIGHUP)
                while server.metric('gru4rec_reloads_total{result="loaded"}') <= i:
                    time.sleep(0.02)
                loaded[0] = i + 1
                time.sleep(0.1)
            done.set()
        thread = threading.Thread(target=swap)
        thread.start()
        results = []
        while not done.is_set():
            results.append(self.replay(server, model, test, "--stateless", "--rate", 1000, "--seconds", self.seconds))
        thread.join()
        memory = server.megabytes()
        server.stop()
        answers = sum(result["predictions"] for result in results)
        print(f"{loaded[0]} reloads in turn of two models of {10_000:,} items at 1,000 requests/s: {answers:,} answers, "
              f"{sum(result['failed'] for result in results)} errors, answers by model "
              f"{[sum(result['models'].get(name, 0) for result in results) for name in sorted({m for r in results for m in r['models']})]}; "
              f"p99 {quiet['milliseconds_from_due']['p99']:.3f} ms without and "
              f"{max(result['milliseconds_from_due']['p99'] for result in results):.3f} ms with reloads; "
              f"{memory:.0f} MB afterwards.\n", flush=True)

    def crowd(self, n_idle=5000, n_slow=200):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
        model, test = self.shop(10_000)
        server = Server(self.program, model, "--threads", self.threads, "--idle-time", "1000", "--max-connections", "20000")
        load = lambda: self.replay(server, model, test, "--rate", 1000, "--seconds", self.seconds)
        load()
        rows = [("nobody else", load(), server.megabytes())]
        idle = []
        for _ in range(n_idle):
            s = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if b"200 OK" not in s.recv(1000):
                sys.exit("an idle connection was turned away")
            idle.append(s)
        rows.append((f"{n_idle:,} idle connections", load(), server.megabytes()))
        stop = threading.Event()

        def slow():
            text = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
            clients = []
            while not stop.wait(1):
                clients += [[socket.create_connection(("127.0.0.1", server.port)), 0] for _ in range(n_slow - len(clients))]
                for client in clients[:]:
                    try:
                        client[0].send(text[client[1]:client[1] + 1])
                        client[1] += 1
                    except OSError:  # 408, and the end
                        clients.remove(client)
            for client in clients:
                client[0].close()
        thread = threading.Thread(target=slow)
        thread.start()
        time.sleep(2)
        rows.append((f"and {n_slow} clients that send a byte a second", load(), server.megabytes()))
        stop.set()
        thread.join()
        for s in idle:
            s.close()
        time.sleep(1)
        rows.append(("nobody else again", load(), server.megabytes()))
        server.stop()
        print("At 1,000 requests/s, 10,000 items, quantised:\n")
        print("| also connected | p50 | p90 | p99 | max | errors | memory, MB |\n|---|---|---|---|---|---|---|")
        for name, result, memory in rows:
            times = result["milliseconds_from_due"]
            print(f"| {name} | {times['p50']:.3f} | {times['p90']:.3f} | {times['p99']:.3f} | {times['max']:.1f} | "
                  f"{result['failed']} | {memory:.0f} |")
        print(flush=True)

    def memory(self, minutes):
        """Sessions end after half a minute, so that their number is the same all the time."""
        model, test = self.shop(10_000)
        server = Server(self.program, model, "--threads", self.threads, "--session-time", "30")
        sizes = []
        player = subprocess.Popen([self.program, "replay", str(model), str(test), "--url", server.url, "--rate", "1000",
                                   "--seconds", str(60 * minutes)], stdout=subprocess.PIPE, text=True)
        while player.poll() is None:
            time.sleep(10)
            sizes.append(server.megabytes())
        server.stop()
        half = len(sizes) // 2
        print(f"{minutes} minutes at 1,000 requests/s: memory {sizes[0]:.0f} MB after ten seconds, "
              f"{statistics.mean(sizes[:half]):.1f} MB in the first half, {statistics.mean(sizes[half:]):.1f} MB in the "
              f"second, {sizes[-1]:.0f} MB at the end.\n\n" + player.stdout.read(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--library", help="the program serve_library (default: no figures of the library)")
    parser.add_argument("--folder", help="where models are kept for the next run (default: a temporary one)")
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement (default: 10)")
    parser.add_argument("--threads", type=int, default=1, help="of the server (default: 1)")
    parser.add_argument("--minutes", type=int, default=10, help="of the measurement of memory (default: 10)")
    parser.add_argument("--only", choices=("models", "load", "reloads", "crowd", "memory"), action="append")
    options = parser.parse_args()
    bench = Bench(options)
    wanted = options.only or ["load", "reloads", "crowd", "memory"]
    if "models" in wanted:
        for n_items in SHOPS:
            bench.shop(n_items)
    if "load" in wanted:
        bench.load()
    if "reloads" in wanted:
        bench.reloads()
    if "crowd" in wanted:
        bench.crowd()
    if "memory" in wanted:
        bench.memory(options.minutes)


if __name__ == "__main__":
    main()
