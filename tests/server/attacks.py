"""Attacks a server as strangers on its network could: attacks.py PROGRAM MODEL [--quick] [--only PART-OF-A-NAME]

Slow clients, floods, paths, request smuggling, wrong tokens, pages of other origins, and a search for secrets in all
that the server writes. While an attack runs, a visitor asks for lists; its requests must be answered, with little
delay, and the delays are printed. To be run with a program that has sanitizers, too: build/dev/bin/gru4rec. --quick
plays each attack with fewer clients, as the test suite does. Exit status 1: an attack had success, and is named.
"""
import argparse
import base64
import contextlib
import multiprocessing
import os
import pathlib
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "end_to_end"))

TOKEN = "a-token-that-nobody-is-to-see-0123456789"
PASSWORD = "a-password-that-nobody-is-to-see"
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
PLAIN = HOST + b"Connection: close\r\n\r\n"
# If this part of the bytes of an attack is taken for a request of its own, it can be seen.
SMUGGLED = b"PUT /v1/filter HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 17\r\n\r\n" + b'{"exclude":["3"]}'
PUBLIC = ("/healthz", "/readyz", "/", "/page/page.js")
GUARDED = (("GET", "/metrics"), ("GET", "/openapi.json"), ("GET", "/v1/filter"), ("PUT", "/v1/filter"), ("GET", "/v1/items"),
           ("GET", "/v1/items/3/similar"), ("POST", "/v1/recommend"), ("POST", "/v1/recommend/batch"),
           ("POST", "/v1/sessions/v/events"), ("GET", "/v1/sessions/v/recommendations"), ("DELETE", "/v1/sessions/v"))


class Success(Exception):
    """Of an attack."""


def demand(holds, *problem):
    if not holds:
        raise Success(" ".join(map(str, problem)))


def connect(server, timeout=15.0):
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def read_to_end(s):
    """What comes until the server closes the connection, which it must."""
    answer = b""
    try:
        while part := s.recv(1 << 20):
            answer += part
    except ConnectionResetError:
        pass
    except TimeoutError:
        raise Success(f"the connection stays open after {answer[:200]}") from None
    return answer


def send(server, data):
    """The answer to bytes, after which nothing more is sent."""
    with connect(server) as s:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        return read_to_end(s)


def statuses(answer):
    return [int(status) for status in re.findall(rb"^HTTP/1\.1 (\d{3}) ", answer, re.MULTILINE)]


def figures_of(process):
    """Its open files, and its memory in bytes."""
    memory = int(pathlib.Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return len(os.listdir(f"/proc/{process}/fd")), memory


def ask_all_the_time(server, headers, stopped, results):
    """What a visitor does, in a process of its own: sends its delays, and what went wrong or None."""
    delays, problem = [], None
    connection = server.new_connection()
    try:
        while not stopped.is_set():
            begin = time.monotonic()
            reply = server.ask("POST", "/v1/recommend", {"session": ["3"], "n": 5}, headers, connection)
            delays.append(time.monotonic() - begin)
            if reply.status != 200:
                problem = f"{reply.status} {reply.body}"
                break
            if len(delays) == 1:
                results.send("served")
            stopped.wait(0.005)
    except Exception as error:  # reported by whoever attacks
        problem = repr(error)
    results.send((delays, problem))
    connection.close()


def memory_of_connections():
    """What the system keeps for all connections of TCP, in bytes."""
    text = pathlib.Path("/proc/net/sockstat").read_text()
    return int(re.search(r"^TCP: .* mem (\d+)", text, re.MULTILINE)[1]) * os.sysconf("SC_PAGE_SIZE")


class Visitor:
    """Asks for lists on one connection all the time: its requests must be answered, and soon."""
    def __init__(self, server, headers, most):
        self.most = most
        fork = multiprocessing.get_context("fork")
        self.stopped = fork.Event()
        self.results, self.end = fork.Pipe(duplex=False)
        self.process = fork.Process(target=ask_all_the_time, args=(server, headers, self.stopped, self.end), daemon=True)

    def __enter__(self):
        self.process.start()
        self.end.close()  # so that nothing waits for a process that has ended
        first = self.results.recv()
        demand(first == "served", f"a visitor was not served: {first}")
        return self

    def __exit__(self, kind, *_):
        self.stopped.set()
        self.delays, problem = self.results.recv()
        self.process.join()
        if kind is None:
            demand(problem is None, f"a visitor was not served: {problem}")
            demand(max(self.delays) < self.most,
                   f"a visitor waited {max(self.delays):.3f} s, more than {self.most} s; {self}")

    def __str__(self):
        delays = sorted(self.delays)
        return (f"visitor: {len(delays)} answers, ms: p50 {statistics.median(delays) * 1e3:.1f}, "
                f"p99 {delays[len(delays) * 99 // 100] * 1e3:.1f}, max {delays[-1] * 1e3:.1f}")


class Attacks:
    """Each method is an attack on a new server; `n` is how many clients take part."""
    def __init__(self, folder, model, is_quick):
        self.folder, self.model, self.is_quick = folder, model, is_quick
        self.server = None
        self.n = 100 if is_quick else 1000
        self.most_delay = 5.0 if is_quick else 1.0  # s; the suite does other things meanwhile

    def serve(self, *options, token=False, **more):
        import serve_test
        if token:
            (self.folder / "token").write_text(TOKEN + "\n")
            (self.folder / "token").chmod(0o600)
            options = ("--token-file", "token", *options)
        self.server = serve_test.Server(self.folder, self.model, "--threads", "2", *options, **more)
        self.pid = self.server.process.pid
        return self.server

    def visitor(self, headers=()):
        return Visitor(self.server, headers, self.most_delay)

    def back_to(self, n_files):
        """Waits until the server has closed what the attack has opened."""
        end = time.monotonic() + 15
        while figures_of(self.pid)[0] > n_files:
            demand(time.monotonic() < end, f"{figures_of(self.pid)[0] - n_files} files are still open")
            time.sleep(0.05)

    # Slow clients

    def slowly(self, start, drip):
        """`n` clients send `start`, and then `drip` byte by byte; they must be let go with 408 after --request-time."""
        server = self.serve("--request-time", "1")
        before, _ = figures_of(self.pid)
        with self.visitor() as visitor:
            clients = [connect(server) for _ in range(self.n)]
            for s in clients:
                s.sendall(start)
            for byte in drip[:15]:
                for s in clients:
                    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                        s.sendall(bytes([byte]))
                time.sleep(0.1)
            for s in clients:
                answer = read_to_end(s)
                demand(statuses(answer) == [408], f"a slow client got {answer[:200]}, expected 408 alone")
                s.close()
        self.back_to(before)
        return visitor

    def slow_headers(self):
        return self.slowly(b"GET /healthz HTTP/1.1\r\n", b"X-Header: of a client that has time\r\n")

    def slow_bodies(self):
        return self.slowly(b"POST /v1/recommend HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 500\r\n\r\n", b'{"session": ["3", "17"')

    def slow_chunks(self):
        return self.slowly(b"POST /v1/recommend HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n",
                           b"1\r\n{\r\n1\r\n \r\n1\r\n \r\n1\r\n")

    def slow_readers(self):
        """Clients ask for much and take a byte now and then. What waits for them is one answer each."""
        server = self.serve("--request-time", "1")
        before, memory = figures_of(self.pid)
        memory_of_system = memory_of_connections()
        with self.visitor() as visitor:
            clients = []
            for _ in range(self.n):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                s.settimeout(15)
                s.connect(("127.0.0.1", server.port))
                s.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    for _ in range(200):
                        s.send((b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 10)
                clients.append(s)
            more = more_of_system = 0
            for _ in range(10):
                time.sleep(0.1)
                more = max(more, figures_of(self.pid)[1] - memory)
                more_of_system = max(more_of_system, memory_of_connections() - memory_of_system)
                for s in clients:
                    with contextlib.suppress(OSError):
                        s.recv(1)
            self.back_to(before + 1)  # the visitor has one
            for s in clients:
                s.close()
        demand(more < self.n * 400_000, f"{more} bytes for {self.n} slow readers")
        demand(more_of_system < self.n * 1_000_000, f"{more_of_system} bytes of the system for {self.n} slow readers")
        return visitor, (f"{more / self.n / 1000:.0f} kB of memory for each client, "
                         f"{more_of_system / self.n / 1000:.0f} kB of the system's")

    # Floods

    def too_many_connections(self):
        server = self.serve("--max-connections", self.n, "--idle-time", "20")
        before, _ = figures_of(self.pid)
        with self.visitor() as visitor:
            held = [connect(server) for _ in range(self.n - 1)]
            end = time.monotonic() + 10
            while figures_of(self.pid)[0] < before + self.n:
                demand(time.monotonic() < end, "not all of the connections that are allowed are there")
                time.sleep(0.02)
            refused = [connect(server) for _ in range(self.n)]
            for s in refused:
                answer = read_to_end(s)
                demand(statuses(answer) in ([503], []), f"a connection too many got {answer[:200]}")
                s.close()
            for s in held:
                s.close()
        self.back_to(before)
        demand(statuses(send(server, b"GET /healthz HTTP/1.1\r\n" + PLAIN)) == [200], "nobody is served after the flood")
        return visitor

    def connections_that_come_and_go(self):
        server = self.serve()
        before, memory = figures_of(self.pid)
        with self.visitor() as visitor:
            for i in range(20 * self.n):
                s = connect(server)
                if i % 3 == 1:
                    s.sendall(b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n")
                if i % 2:  # with a reset
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                s.close()
        self.back_to(before)
        more = figures_of(self.pid)[1] - memory
        demand(more < 30_000_000, f"{more} bytes are left behind by {20 * self.n} connections")
        return visitor, f"{20 * self.n} connections"

    def requests_without_end(self):
        """Connections that send requests as fast as they can hold up nobody."""
        server = self.serve()
        n, seconds = (4, 0.5) if self.is_quick else (16, 10.0)
        counts = []

        def read(s):
            with contextlib.suppress(OSError):
                while s.recv(1 << 20):
                    pass

        def flood():
            with connect(server) as s:
                end, count = time.monotonic() + seconds, 0
                reader = threading.Thread(target=read, args=(s,))
                reader.start()
                while time.monotonic() < end:
                    s.sendall((b"GET /v1/items/3/similar HTTP/1.1\r\n" + HOST + b"\r\n") * 50)
                    count += 50
                s.shutdown(socket.SHUT_RDWR)
                reader.join()
                counts.append(count)
        with self.visitor() as visitor:
            threads = [threading.Thread(target=flood) for _ in range(n)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        demand(len(counts) == n, "a connection broke")
        return visitor, f"{sum(counts) / seconds:.0f} other requests/s sent"

    def no_descriptor_left(self):
        """The system gives the server no more files: it serves those who are there, and recovers."""
        server = self.serve()
        before, _ = figures_of(self.pid)
        limits = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        with self.visitor() as visitor:
            used, _ = figures_of(self.pid)
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (used + 10, limits[1]))
            flood = [connect(server) for _ in range(100)]
            time.sleep(0.3)
            server.process.send_signal(signal.SIGHUP)  # the model is read again, which needs a file
            time.sleep(0.7)
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, limits)
            for s in flood:
                s.sendall(b"GET /healthz HTTP/1.1\r\n" + PLAIN)
            for s in flood:
                demand(statuses(read_to_end(s)) == [200], "a connection that had waited was not served")
                s.close()
        self.back_to(before)
        ready = server.ask("GET", "/readyz").json()
        demand(ready["status"] == "ready", f"the server says {ready}")
        server.connection.close()
        return visitor

    def bodies_that_are_only_announced(self):
        server = self.serve("--request-time", "3")
        before, memory = figures_of(self.pid)
        with self.visitor() as visitor:
            clients = [connect(server) for _ in range(self.n)]
            for s in clients:
                s.sendall(b"PUT /v1/filter HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 67108864\r\n\r\n{")
            time.sleep(0.5)
            more = figures_of(self.pid)[1] - memory
            for s in clients:
                s.close()
        self.back_to(before)
        demand(more < self.n * 100_000, f"{more} bytes for {self.n} bodies that did not come")
        return visitor, f"{more / self.n / 1000:.0f} kB of memory for each client"

    # Paths

    def paths(self):
        """Nothing but the files that are compiled in comes out of the page, whatever the path looks like."""
        (self.folder / "secret.js").write_text("secret")
        server = self.serve()
        up = ("..", "%2e%2e", "%2E.", ".%2e", "..%00", "..;", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%252e%252e", "\\..", "..%5c..", "....//")
        slash = ("/", "//", "%2f", "%5c", "\\", "%c0%af", "%e0%80%af", "%252f", "%u2215", "%ef%bc%8f")
        files = ("etc/passwd", "secret.js", "page.js", "openapi.json", "index.html", "")
        targets = [f"/page/{a}{b}{a}{b}{file}" for a in up for b in slash for file in files]
        targets += [f"/page/{name}" for name in (
            "page.js%00", "page.js%00.html", "%00page.js", "page.js/", "page.js/..", "page.js%2f", "page.js%20", "page.js.", "PAGE.JS",
            "page.js;x", "page.js:$DATA", "openapi.json", "page.js\\", "./page.js", ".//page.js", "%2e/page.js", "p%c0%a1ge.js",
            "%ed%a0%80", "%f4%90%80%80", "%fe%ff", "page.js%c3", "\xff", "proc/self/environ", "/etc/passwd", "%2fetc%2fpasswd", "x" * 4000)]
        targets += ["//etc/passwd", "/..", "/../../../../etc/passwd", "/page", "/page/", "/page//", "/page/../page/page.js", "*", "",
                    "file:///etc/passwd", "http://localhost/../etc/passwd", "/page/page.js/%2e%2e/%2e%2e/metrics"]
        page = send(server, b"GET /page/page.js HTTP/1.1\r\n" + PLAIN)
        demand(statuses(page) == [200] and b"Content-Type: text/javascript" in page, "the page is not there")
        with self.visitor() as visitor:
            for target in targets:
                answer = send(server, b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\n" + PLAIN)
                demand(statuses(answer) in ([400], [404]), f"{target} got {answer[:300]}")
                demand(b"root:" not in answer and b"secret" not in answer, f"{target} shows a file: {answer[:300]}")
        return visitor, f"{len(targets)} paths"

    # Where a request ends

    def smuggling(self):
        """Where two readers could differ about the end of a request, the connection ends: nothing that follows is served."""
        server = self.serve()
        post = b"POST /v1/recommend HTTP/1.1\r\n" + HOST + JSON
        chunked = post + b"Transfer-Encoding: chunked\r\n"
        body = b'{"session":[]}'
        chunk = b"e\r\n" + body + b"\r\n0\r\n\r\n"
        refused = {
            "Content-Length and chunks": chunked + b"Content-Length: 14\r\n\r\n" + chunk,
            "chunks and Content-Length": post + b"Content-Length: 24\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
            "two lengths": post + b"Content-Length: 14\r\nContent-Length: 15\r\n\r\n" + body,
            "a list of lengths": post + b"Content-Length: 14, 15\r\n\r\n" + body,
            "a length with a sign": post + b"Content-Length: +14\r\n\r\n" + body,
            "a hexadecimal length": post + b"Content-Length: 0xe\r\n\r\n" + body,
            "a length with a blank": post + b"Content-Length: 1 4\r\n\r\n" + body,
            "a length with a letter": post + b"Content-Length: 14a\r\n\r\n" + body,
            "a length that overflows": post + b"Content-Length: 18446744073709551630\r\n\r\n" + body,
            "an empty length": post + b"Content-Length:\r\n\r\n" + body,
            "a length before a blank": post + b"Content-Length : 14\r\n\r\n" + body,
            "chunks before a blank": post + b"Transfer-Encoding : chunked\r\n\r\n" + chunk,
            "chunks after a vertical tab": post + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + chunk,
            "chunks in quotes": post + b"Transfer-Encoding: \"chunked\"\r\n\r\n" + chunk,
            "chunks twice": chunked + b"Transfer-Encoding: chunked\r\n\r\n" + chunk,
            "chunks twice in a line": post + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + chunk,
            "chunks, and identity": chunked + b"Transfer-Encoding: identity\r\n\r\n" + chunk,
            "identity, and chunks": post + b"Transfer-Encoding: identity, chunked\r\n\r\n" + chunk,
            "another coding": post + b"Transfer-Encoding: xchunked\r\n\r\n" + chunk,
            "an empty coding": post + b"Transfer-Encoding:\r\n\r\n" + chunk,
            "chunks in HTTP/1.0": chunked.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + chunk,
            "a first header that begins with a blank": b"POST /v1/recommend HTTP/1.1\r\n Content-Length: 14\r\n" + HOST + JSON + b"\r\n" + body,
            "lines that end with LF": post.replace(b"\r\n", b"\n") + b"Content-Length: 14\n\n" + body,
            "one line that ends with LF": post + b"X: 1\nContent-Length: 14\r\n\r\n" + body,
            "a CR in a value": post + b"X: 1\rContent-Length: 99\r\nContent-Length: 14\r\n\r\n" + body,
            "a byte 0 in a value": post + b"X: \0\r\nContent-Length: 14\r\n\r\n" + body,
            "a byte 0 in a name": post + b"Content-Length\0: 99\r\nContent-Length: 14\r\n\r\n" + body,
            "a header without colon": post + b"Content-Length\r\nContent-Length: 14\r\n\r\n" + body,
            "a target with a blank": b"POST /v1/recommend /x HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 14\r\n\r\n" + body,
            "a chunk with 0x": chunked + b"\r\n0xe\r\n" + body + b"\r\n0\r\n\r\n",
            "a chunk with a sign": chunked + b"\r\n+e\r\n" + body + b"\r\n0\r\n\r\n",
            "a chunk after a blank": chunked + b"\r\n e\r\n" + body + b"\r\n0\r\n\r\n",
            "a chunk without a size": chunked + b"\r\n;x=1\r\n" + body + b"\r\n0\r\n\r\n",
            "a chunk that overflows": chunked + b"\r\n1000000000000000e\r\n" + body + b"\r\n0\r\n\r\n",
            "a chunk that is longer than it says": chunked + b"\r\nd\r\n" + body + b"\r\n0\r\n\r\n",
            "a chunk whose size ends with LF": chunked + b"\r\ne\n" + body + b"\r\n0\r\n\r\n",
            "a chunk that ends with LF": chunked + b"\r\ne\r\n" + body + b"\n0\r\n\r\n",
            "an extension of a chunk with LF": chunked + b"\r\ne;x\nx\r\n" + body + b"\r\n0\r\n\r\n",
            "a length after the body": chunked + b"\r\ne\r\n" + body + b"\r\n0\r\nContent-Length: 99\r\n\r\n",
            "a coding after the body": chunked + b"\r\ne\r\n" + body + b"\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n",
            "two hosts": b"POST /v1/recommend HTTP/1.1\r\n" + HOST + HOST + JSON + b"Content-Length: 14\r\n\r\n" + body,
        }
        # What is right: one reading alone, and the next request is the next one.
        accepted = {
            "chunks": chunked + b"\r\n" + chunk,
            "chunks in capitals": post + b"Transfer-Encoding: CHUNKED\r\n\r\n" + chunk,
            "extensions of chunks": chunked + b'\r\ne;name=value;other="a;b"\r\n' + body + b"\r\n0;last\r\n\r\n",
            "trailers, which say nothing": chunked + b"\r\ne\r\n" + body + b"\r\n0\r\nHost: shop.example\r\nContent-Type: text/plain\r\n\r\n",
            "a length twice, in a list and with a 0": post + b"Content-Length: 14, 14\r\nContent-Length: 014\r\n\r\n" + body,
            "a coding on a line of its own": post + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunk,
            "a length on a line of its own": post + b"Content-Length:\r\n 14\r\n\r\n" + body,
            "a value on two lines": post + b"X: a\r\n b\r\nContent-Length: 14\r\n\r\n" + body,
            "a body of a GET": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
            "a request in a body": post + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
            "a request in a body that is refused": b"POST /v1/recommend HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED)
                                                   + SMUGGLED,
        }
        with self.visitor() as visitor:
            for name, data in refused.items():
                answer = send(server, data + SMUGGLED)
                demand(len(statuses(answer)) == 1 and statuses(answer)[0] in (400, 422, 505), f"{name}: {answer[:400]}")
                demand(b"\r\nConnection: close\r\n" in answer, f"{name}: the connection goes on: {answer[:400]}")
                self.demand_no_filter(name)
            for name, data in accepted.items():
                answer = send(server, data + b"GET /v1/filter HTTP/1.1\r\n" + PLAIN)
                demand(len(statuses(answer)) == 2 and statuses(answer)[1] == 200, f"{name}: {answer[:400]}")
                demand(answer.rstrip().endswith(b'\r\n\r\n{"exclude":[]}'), f"{name}: {answer[-200:]}")
        return visitor, f"{len(refused)} refused, {len(accepted)} read in one way"

    def demand_no_filter(self, name):
        answer = send(self.server, b"GET /v1/filter HTTP/1.1\r\n" + PLAIN)
        demand(b'{"exclude":[]}' in answer, f"{name}: a request was smuggled in")

    # Who may ask

    def wrong_tokens(self):
        server = self.serve(token=True)
        good = b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"
        wrong = {"none": b"", "empty": b"Authorization:\r\n", "no token": b"Authorization: Bearer\r\n",
                 "only a blank": b"Authorization: Bearer \r\n",
                 "no scheme": b"Authorization: " + TOKEN.encode() + b"\r\n",
                 "a token in a list": good[:-2] + b", Bearer x\r\n",
                 "Basic": b"Authorization: Basic " + base64.b64encode(b"user:" + TOKEN.encode()) + b"\r\n",
                 "another scheme": good.replace(b"Bearer", b"Token"), "a longer scheme": good.replace(b"Bearer", b"XBearer"),
                 "no blank after the scheme": good.replace(b"Bearer ", b"Bearer"),
                 "in capitals": good.upper(), "twice": good[:-2] + TOKEN.encode() + b"\r\n",
                 "longer": good[:-2] + b"x\r\n", "a byte more": good[:-2] + b"\xff\r\n",
                 "quoted": b'Authorization: Bearer "' + TOKEN.encode() + b'"\r\n',
                 "a cookie": b"Cookie: token=" + TOKEN.encode() + b"\r\n",
                 "other headers": b"Proxy-" + good + b"X-Api-Key: " + TOKEN.encode() + b"\r\nX-" + good,
                 "the wrong one, then the right one": b"Authorization: Bearer xxxxxxxxxxxxxxxxxxxx\r\n" + good,
                 "the right one, then the wrong one": good + b"Authorization: Bearer xxxxxxxxxxxxxxxxxxxx\r\n",
                 "the right one twice": good + good}
        wrong |= {f"the first {n} bytes": good[:n + 22] + b"\r\n" for n in (1, 16, len(TOKEN) - 1)}
        wrong |= {f"byte {n} differs": good[:n + 22] + b"~" + good[n + 23:] for n in (0, 20, len(TOKEN) - 1)}
        count = 0
        with self.visitor({"Authorization": "Bearer " + TOKEN}) as visitor:
            for method, path in GUARDED:
                for name, headers in wrong.items():
                    start = f"{method} {path} HTTP/1.1\r\n".encode()
                    answer = send(server, start + headers + JSON + PLAIN)
                    demand(statuses(answer) == [401], f"{method} {path}, {name}: {answer[:300]}")
                    demand(b"\r\nWWW-Authenticate: Bearer\r\n" in answer, f"{name}: {answer[:300]}")
                    demand(TOKEN.encode() not in answer, f"{name}: the token is in the answer")
                    count += 1
                for query in (f"?token={TOKEN}", f"?access_token={TOKEN}"):
                    answer = send(server, f"{method} {path}{query} HTTP/1.1\r\n".encode() + JSON + PLAIN)
                    demand(statuses(answer) == [401] and TOKEN.encode() not in answer, f"{method} {path}{query}: {answer[:300]}")
            late = send(server, b"POST /v1/recommend HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + good + b"\r\n")
            demand(statuses(late) == [401], f"a token after the body: {late[:300]}")
            for path in PUBLIC:
                demand(statuses(send(server, f"GET {path} HTTP/1.1\r\n".encode() + PLAIN)) == [200], f"{path} should be public")
            for headers in (good, good.lower().replace(TOKEN.lower().encode(), TOKEN.encode())):
                demand(statuses(send(server, b"GET /metrics HTTP/1.1\r\n" + headers + PLAIN)) == [200], "the right token is refused")
        return visitor, f"{count} requests"

    def secrets(self):
        """Neither token nor password of Redis is in anything that the server writes, or that other users can see of it."""
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]  # where no Redis will be
        (self.folder / "password").write_text(PASSWORD + "\n")
        (self.folder / "password").chmod(0o600)
        log = self.folder / "log"
        written = ""
        for redis in (("--redis", f"redis://:{PASSWORD}@127.0.0.1:{port}"),
                      ("--redis", f"redis://127.0.0.1:{port}", "--redis-password-file", "password")):
            server = self.serve("--log", "log", *redis, token=True)
            seen = []
            for headers in ({}, {"Authorization": "Bearer " + TOKEN}, {"Authorization": "Bearer " + TOKEN + "x"},
                            {"Authorization": TOKEN, "Content-Length": "x" + TOKEN}):
                for method, path in (*GUARDED, *(("GET", path) for path in PUBLIC)):
                    text = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                    seen.append(send(server, text.encode() + JSON + PLAIN).decode("latin-1"))
            with self.visitor({"Authorization": "Bearer " + TOKEN}) as visitor:
                time.sleep(0.3)
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            process = pathlib.Path(f"/proc/{self.pid}")
            if "--redis-password-file" in redis:
                seen.append((process / "cmdline").read_text())
            seen.append((process / "comm").read_text() + (process / "environ").read_text())
            demand(server.stop() == 0, "the server did not stop as it should")
            server.kill()  # which closes what is open on this side
            written += "".join(server.messages) + "".join(seen)
        demand("sessions_unavailable" in written, "no request has asked Redis")
        written += log.read_text()
        for secret in (TOKEN, PASSWORD):
            place = written.find(secret)
            demand(place < 0, f"a secret is in: {written[max(0, place - 300):place + 50]}")
        demand(log.stat().st_mode & 0o007 == 0, "others can read the log")
        return visitor, f"{len(written)} bytes searched"

    def other_origins(self):
        """A page of another origin reads nothing, and what the server sends is taken for nothing else."""
        server = self.serve()
        headers_of = lambda answer: {name.lower(): value for name, _, value in
                                     (line.partition(": ") for line in answer.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:])}
        with self.visitor() as visitor:
            for origin in (b"null", b"http://shop.example", b"http://localhost", b"http://127.0.0.1:%d" % server.port):
                for method, path in (*GUARDED, *(("GET", path) for path in PUBLIC)):
                    for asked in (method.encode(), b"OPTIONS"):
                        answer = send(server, asked + f" {path} HTTP/1.1\r\n".encode() + b"Origin: " + origin + b"\r\nAccess-Control-Request-Method: "
                                      + method.encode() + b"\r\nAccess-Control-Request-Headers: authorization, content-type\r\n" + PLAIN)
                        headers = headers_of(answer)
                        demand(not [name for name in headers if name.startswith("access-control")], f"{path} allows {origin}: {answer[:400]}")
                        demand(headers["x-content-type-options"] == "nosniff", f"{path}: {answer[:400]}")
                        demand(asked != b"OPTIONS" or statuses(answer) == [405], f"OPTIONS {path}: {answer[:400]}")
            for path in ("/", "/page/page.js", "/page/page.css", "/page/icon.svg"):
                headers = headers_of(send(server, f"GET {path} HTTP/1.1\r\n".encode() + PLAIN))
                policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
                demand(policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'", policy)
                demand(policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["img-src"] == "'self'", policy)
                demand("unsafe" not in headers["content-security-policy"], policy)
                demand(headers["referrer-policy"] == "no-referrer", headers)
                demand(headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin", headers)
            answer = send(server, b"GET /v1/items?search=%3Cscript%3Ealert(1)%3C/script%3E HTTP/1.1\r\n" + PLAIN)
            demand(headers_of(answer)["content-type"] == "application/json", answer[:400])
            split = send(server, b"GET /v1/items/x%0d%0aSet-Cookie:%20a=b/similar HTTP/1.1\r\n" + PLAIN)
            demand(b"\nSet-Cookie" not in split, f"a header of the attacker's: {split[:400]}")
            demand(b"\nset-cookie" not in split.lower().split(b"\r\n\r\n")[0], split[:400])
        return visitor


def names_of_attacks():
    """The public methods that are attacks, in the order of the source."""
    helpers = {"serve", "visitor", "back_to", "slowly", "demand_no_filter"}
    return [name for name, value in vars(Attacks).items() if callable(value) and not name.startswith("_") and name not in helpers]


def run(model, is_quick, only=""):
    """Plays the attacks. Returns the names of those that had success."""
    successes = []
    for name in names_of_attacks():
        if only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            attacks = Attacks(pathlib.Path(folder), os.path.abspath(model), is_quick)
            begin = time.monotonic()
            try:
                outcome = getattr(attacks, name)()
                server = attacks.server
                status = server.stop() if server.process.poll() is None else server.process.returncode
                demand(status == 0, f"the server ended with status {status}: {''.join(server.messages[-50:])}")
                demand(not [line for line in server.messages if "Sanitizer" in line or "runtime error" in line],
                       "".join(server.messages))
                texts = outcome if isinstance(outcome, tuple) else (outcome,)
                print(f"{name}: withstood in {time.monotonic() - begin:.1f} s; " + "; ".join(map(str, texts)), flush=True)
            except (Success, OSError, EOFError, KeyError, ValueError, AssertionError,
                    subprocess.TimeoutExpired) as success:
                successes.append(name)
                print(f"{name}: SUCCESS: {success!r}", flush=True)
            finally:
                if attacks.server:
                    attacks.server.kill()
    return successes


def main():
    import serve_test
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("model", help="a model with the items 3 and 17, such as one of gru4rec synth")
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--only", default="", help="a part of the names of the attacks to play")
    options = arguments.parse_args()
    serve_test.PROGRAM = os.path.abspath(options.program)
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, min(most, 8192)), most))  # for this side of the connections
    successes = run(options.model, options.quick, options.only)
    if successes:
        sys.exit(f"{len(successes)} attacks had success: {', '.join(successes)}")


if __name__ == "__main__":
    main()
