#!/usr/bin/env python3
"""Kills servers whose sessions are in Redis: killed.py PROGRAM MODEL [--kills 50] [--visitors 500] [--seed 1]

Two servers share a redis-server that the script starts, and a client gives each event to the next of them. At random
moments, in the middle of requests, one is killed (SIGKILL) and started again. In the end every session must have all of
its events, and the list of each must be that of a request with the whole session, to the bit. Exit status 1: it is not.
"""
import argparse
import contextlib
import http.client
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "end_to_end"))

MOST_SECONDS = 600


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Servers:
    """Two of them, each on a port of its own."""
    def __init__(self, server_class, folder, model, redis_port):
        self.start = lambda port: server_class(folder, model, "--redis", f"redis://127.0.0.1:{redis_port}", "--session-time",
                                               "3600", listen=f"127.0.0.1:{port}")
        self.ports = [free_port(), free_port()]
        self.running = [self.start(port) for port in self.ports]

    def kill(self, i):
        self.running[i].kill()
        self.running[i] = self.start(self.ports[i])


class Visitors:
    """A client: asks the servers in turn, and the other one if a server does not answer."""
    def __init__(self, servers, n, items, seed):
        self.servers = servers
        self.random = random.Random(seed)
        self.items = items
        self.fed = [[] for _ in range(n)]
        self.connections = [None, None]
        self.turn = 0
        self.cut = 0

    def ask(self, method, path, body=None):
        """The answer of the server whose turn it is; None if the request was cut off."""
        self.turn ^= 1
        if self.connections[self.turn] is None:
            self.connections[self.turn] = self.servers.running[self.turn].new_connection()
        try:
            return self.servers.running[self.turn].ask(method, path, body, connection=self.connections[self.turn])
        except (OSError, http.client.HTTPException):
            self.connections[self.turn].close()
            self.connections[self.turn] = None
            return None

    def insist(self, method, path, body=None):
        while (answer := self.ask(method, path, body)) is None:
            time.sleep(0.01)
        return answer

    def feed(self):
        visitor = self.random.randrange(len(self.fed))
        session, path = self.fed[visitor], f"/v1/sessions/v{visitor}"
        item = self.random.choice(self.items)
        answer = self.ask("POST", path + "/events", {"item": item, "n": 5})
        if answer is None:  # the server may have stored the event before it was killed
            self.cut += 1
            found = self.insist("GET", path + "/recommendations?n=1")
            events = found.json()["events"] if found.status == 200 else 0
            if events not in (len(session), len(session) + 1):
                sys.exit(f"session {visitor} has {events} events after a kill, {len(session)} were answered")
            if events == len(session):
                return
        elif answer.status != 200 or answer.json()["events"] != len(session) + 1:
            sys.exit(f"session {visitor}, event {len(session) + 1}: {answer.status} {answer.body}")
        session.append(item)

    def check(self):
        wrong = 0
        for visitor, session in enumerate(self.fed):
            if session:
                live = self.insist("GET", f"/v1/sessions/v{visitor}/recommendations?n=20").json()
                whole = self.insist("POST", "/v1/recommend", {"session": session, "n": 20}).json()
                if live["events"] != len(session) or live["items"] != whole["items"]:
                    print(f"session {visitor} differs: {live}\nof the whole session: {whole}")
                    wrong += 1
        return wrong


def start_redis(folder, ending):
    """A server without files, ended with `ending`. Returns its port."""
    port = free_port()
    redis = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly",
                              "no"], cwd=folder, stdout=subprocess.DEVNULL)
    ending.callback(redis.wait)
    ending.callback(redis.kill)
    return port


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--visitors", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not shutil.which("redis-server"):
        sys.exit("redis-server was not found (Debian: redis-server)")
    import serve_test
    serve_test.PROGRAM = os.path.abspath(options.program)

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ending:
        servers = Servers(serve_test.Server, folder, os.path.abspath(options.model), start_redis(folder, ending))
        ending.callback(lambda: [server.kill() for server in servers.running])
        found = servers.running[0].ask("GET", "/v1/items?search=&n=100").json()
        visitors = Visitors(servers, options.visitors, [entry["id"] for entry in found["items"]], options.seed)

        done = threading.Event()

        def kill_some():
            moments = random.Random(options.seed + 1)
            for kill in range(options.kills):
                time.sleep(moments.uniform(0.05, 0.5))
                servers.kill(kill % 2)
            done.set()
        killer = threading.Thread(target=kill_some, daemon=True)
        killer.start()
        end = time.monotonic() + MOST_SECONDS
        while not done.is_set():
            visitors.feed()
            if time.monotonic() > end:
                sys.exit("the servers did not come back")
        killer.join()
        wrong = visitors.check()
        print(f"{options.kills} kills, {sum(map(len, visitors.fed)):,} events of {sum(map(bool, visitors.fed))} sessions, "
              f"{visitors.cut:,} requests without an answer, {wrong} sessions differ")
        if not visitors.cut:
            sys.exit("no kill met a request: nothing was tested; use more --kills")
        sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
