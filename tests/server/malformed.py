"""Sends malformed requests to a server: malformed.py PROGRAM MODEL [--requests 100000] [--seed 1]

Valid requests are changed at random: request line, headers, lengths, chunks, JSON, UTF-8, several requests in a row,
connections that end early. The server must go on: it answers /healthz and well-formed requests as before; each answer is
HTTP, each error has the JSON of errors, and none is a 500. To be run with a program that has sanitizers, too:
build/dev/bin/gru4rec. The same seed sends the same bytes. Exit status 1: a request failed, its bytes are printed.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "end_to_end"))

BODIES = {
    "/v1/sessions/v/events": ['{"item": "3", "n": 5}', '{"items": ["3", 17, -5], "n": 0, "exclude": ["1"], "only": ["2", "3"]}'],
    "/v1/recommend": ['{"session": ["3", "17"], "n": 3, "unknown": "skip"}', '{"session": [], "exclude": ["é", "\\ud83d\\ude00"]}'],
    "/v1/recommend/batch": ['{"requests": [{"session": ["3"]}, {"session": [], "n": 1}]}'],
    "/v1/filter": ['{"exclude": ["7"]}', '{"only": ["1", "2", "3"], "unknown": "error"}'],
}
TARGETS = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/page/page.js", "/v1/filter", "/v1/items?search=1+2&n=3",
           "/v1/items/17/similar?n=4&exclude=1", "/v1/sessions/v/recommendations?only=1&only=2&unknown=error",
           "/v1/sessions/a%20b%C3%A9/recommendations"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "get", "G ET", "", "G\x00T", "X" * 100]
TARGET_PARTS = ["/", "//", "%", "%zz", "%00", "%ff", "%c3%28", "?", "??", "&", "=", "#", "*", "..", "/../", " ", "\t", "\x00", "é",
                "http://x/", "http://localhost", "://", "?n=-1", "?n=99999999999999999999", "&exclude=", "+", "\x7f", "x" * 20000]
VERSIONS = ["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.", "HTTP/11", "HTTP/1.1 ", "http/1.1", "", "HTTP/9999999999.1"]
HEADERS = ["Host: a", "Host:", "Host: localhost", "host : localhost", "Content-Length: 0", "Content-Length: 5, 5",
           "Content-Length: -1", "Content-Length: +5", "Content-Length: 0x5", "Content-Length: 99999999999999999999999",
           "Content-Length: 18446744073709551615", "Content-Length: 9223372036854775808", "Content-Length:",
           "Content-Length: 1 2", "Content-Length: 70000", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
           "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: identity", "Transfer-Encoding:", "Transfer-Encoding : chunked",
           "Transfer-Encoding: \x0bchunked", "Expect: 100-continue", "Expect: tea", "Connection: close", "Connection: keep-alive",
           "Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c", "Authorization: Bearer x", "Content-Type: text/plain",
           "Content-Type: application/json; charset=utf-16", "Content-Type:", "If-None-Match: *", "If-None-Match: \"", "no colon",
           ": no name", " folded: x", "\tfolded", "X: \x00", "X: \xff\xfe", "X\x00: 1", "X: " + "y" * 20000, "Trailer: X", "é: é"]
VALUES = ["1", "-1", "1e400", "1.5", "99999999999999999999", "null", "true", "[]", "{}", '""', '"\\ud800"', '"\\u0000"', "NaN", "[[[[[[[[[[1]]]]]]]]]]",
          "\"\xff\"", "'x'", "01", "0x1", "\ufeff", "/**/", ",", ":", "\"", "\\", "{\"n\": 1, \"n\": 2}", "[" * 3000]


def as_bytes(text):
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


class Maker:
    """Makes what is sent, from a seed."""
    def __init__(self, seed):
        self.random = random.Random(seed)

    def valid(self):
        pick = self.random
        if pick.random() < 0.35:
            return {"method": pick.choice(["GET", "GET", "HEAD"]), "target": pick.choice(TARGETS), "version": "HTTP/1.1",
                    "headers": ["Host: localhost"], "body": None, "chunked": False}
        target = pick.choice(list(BODIES))
        return {"method": "PUT" if target == "/v1/filter" else "POST", "target": target, "version": "HTTP/1.1",
                "headers": ["Host: localhost", "Content-Type: application/json"], "body": as_bytes(pick.choice(BODIES[target])),
                "chunked": pick.random() < 0.3}

    def put_in(self, text, part):
        at = self.random.randint(0, len(text))
        return text[:at] + part + text[at:]

    def break_line(self, request):
        pick = self.random
        what = pick.randrange(8)
        if what == 0:
            request["method"] = pick.choice(METHODS)
        elif what == 1:
            request["version"] = pick.choice(VERSIONS)
        else:
            request["target"] = "" if what == 2 else self.put_in(request["target"], pick.choice(TARGET_PARTS))

    def break_headers(self, request):
        pick, headers = self.random, request["headers"]
        what = pick.randrange(4)
        if what == 0 and headers:
            headers.pop(pick.randrange(len(headers)))
        elif what == 1:
            headers.extend([pick.choice(HEADERS)] * pick.choice([1, 2, 500]))
        else:
            headers.insert(pick.randint(0, len(headers)), pick.choice(HEADERS))

    def break_body(self, request):
        pick = self.random
        body = request["body"] or (b"" if pick.random() < 0.9 else b"{}")
        for _ in range(pick.choice([1, 1, 2, 8])):
            what = pick.randrange(5)
            if what == 0:
                body = body[:pick.randint(0, len(body))]
            elif what == 1:
                body = self.put_in(body, bytes([pick.randrange(256)]))
            elif what == 2:
                body = self.put_in(body, pick.choice(VALUES).encode(pick.choice(["utf-8", "latin-1"]), "ignore"))
            elif what == 3:
                body = re.sub(rb'"[^"]*"|\[\]|\d+', lambda m: as_bytes(pick.choice(VALUES)) if pick.random() < 0.3 else m[0], body)
            else:
                body = b"\xef\xbb\xbf" + body
        request["body"] = body

    def chunks_of(self, body, breaks):
        """The body in chunks; some of them are broken."""
        pick, out = self.random, b""
        while body:
            n = pick.randint(1, len(body))
            size = b"%x" % n
            if breaks and pick.random() < 0.3:
                size = pick.choice([b"", b"-1", b"zz", b"0x5", b"ffffffffffffffff", b"fffffffffffffffff", b"7fffffffffffffff", b"%X;e=\"" % n,
                                    b"%x;" % n + b"e" * 5000, b"%x ;a=b" % n, b"000000%x" % n, b" %x" % n, b"%x\x00" % n])
            out += size + pick.choice([b"\r\n"] * 9 + [b"\n"]) + body[:n] + (b"\r\n" if not breaks or pick.random() < 0.9 else b"")
            body = body[n:]
        return out + (pick.choice([b"0\r\n\r\n"] * 3 + [b"0\r\nX: 1\r\n\r\n", b"0\r\n: x\r\n\r\n", b"0\r\n", b"00000000000000000\r\n\r\n"])
                      if breaks else b"0\r\n\r\n")

    def written(self, request, breaks):
        pick = self.random
        headers = list(request["headers"])
        body = request["body"] or b""
        if request["chunked"]:
            headers.append("Transfer-Encoding: chunked")
            body = self.chunks_of(body, breaks)
        elif request["body"] is not None:
            wrong = breaks and pick.random() < 0.2
            headers.append(f"Content-Length: {max(0, len(body) + (pick.randint(-9, 9) if wrong else 0))}")
        end = pick.choice(["\r\n"] * 60 + ["\n", "\r", "\r\r\n"]) if breaks else "\r\n"
        lines = [f"{request['method']} {request['target']} {request['version']}", *headers, "", ""]
        return as_bytes(end.join(lines)) + body

    def one(self):
        pick = self.random
        request = self.valid()
        if pick.random() < 0.1:
            return self.written(request, False)
        for _ in range(pick.choice([0, 1, 1, 1, 2, 3])):
            pick.choice([self.break_line, self.break_headers, self.break_body, self.break_body])(request)
        data = self.written(request, True)
        what = pick.randrange(12)
        if what == 0:
            data = data[:pick.randint(0, len(data))]
        elif what == 1:
            changed = bytearray(data)
            for _ in range(pick.choice([1, 2, 10])):
                changed[pick.randrange(len(changed))] = pick.randrange(256)
            data = bytes(changed)
        elif what == 2:
            data = pick.choice([b"\r\n" * 50, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00", bytes(pick.randbytes(40))]) + data
        return data

    def next(self):
        """Bytes, and how they are sent: in one or more parts, with an end before or after the answer."""
        pick = self.random
        data = b"".join(self.one() for _ in range(pick.choice([1] * 6 + [2, 3, 5])))
        cuts = sorted(pick.randint(0, len(data)) for _ in range(pick.choice([0] * 8 + [1, 3])))
        parts = [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)])]
        return parts, pick.choice(["take"] * 12 + ["leave", "half"])


class Failure(Exception):
    pass


def check_answer(status, headers, body):
    if status == 500:
        raise Failure("the server failed")
    if status >= 400 and body is not None:
        if headers.get("content-type") != "application/json":
            raise Failure("an error that is not JSON")
        error = json.loads(body)["error"]
        if set(error) != {"code", "message"} or not all(isinstance(text, str) and text for text in error.values()):
            raise Failure("an error without code or message")
    elif body and headers.get("content-type") == "application/json":
        json.loads(body)


def check_answers(answer, is_whole, may_be_head):
    """Takes the answers of a connection apart. Returns their statuses."""
    statuses = []
    while answer:
        head, separator, rest = answer.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        match = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [\w -]+", first)
        if not separator or not match:
            if is_whole or not b"HTTP/1.1 ".startswith(first[:9]):
                raise Failure(f"no answer of HTTP: {answer[:200]}")
            return statuses
        status = int(match[1])
        statuses.append(status)
        headers = {}
        for line in lines:
            name, colon, value = line.partition(b": ")
            if not colon or not re.fullmatch(rb"[A-Za-z-]+", name):
                raise Failure(f"a bad header: {line}")
            headers[name.decode().lower()] = value.decode()
        if status in (100, 204, 304):
            answer = rest
            continue
        length = int(headers["content-length"])
        if may_be_head and (not rest or rest.startswith(b"HTTP/1.1 ")):
            check_answer(status, headers, None)
            answer = rest
            continue
        if len(rest) < length:
            if is_whole:
                raise Failure(f"an answer that ends early: {answer[:200]}")
            return statuses
        check_answer(status, headers, rest[:length])
        answer = rest[length:]
    return statuses


def exchange(port, parts, way):
    """Sends and reads to the end. Returns the answers, and whether they are whole."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as s:
        try:
            for i, part in enumerate(parts):
                if i:
                    time.sleep(0.001)
                s.sendall(part)
            if way == "leave":
                return b"", False
            if way == "half":
                s.settimeout(0.02)  # there may be nothing to wait for
                with contextlib.suppress(TimeoutError):
                    s.recv(20)
                return b"", False
            s.shutdown(socket.SHUT_WR)
            while part := s.recv(1 << 20):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            return answer, False
        except TimeoutError:
            raise Failure("the connection stays open") from None
    return answer, True


class Check:
    """That a server still does what it did at the beginning."""
    def __init__(self, server):
        self.server = server
        self.expected = self.answers()

    def answers(self):
        ask = lambda *request: self.server.ask(*request, connection=connection)
        connection = self.server.new_connection()
        if ask("PUT", "/v1/filter", {"exclude": []}).status != 200 or ask("GET", "/healthz").json() != {"status": "ok"}:
            raise Failure("a well-formed request fails")
        items = [ask("POST", "/v1/recommend", {"session": ["3", "17"]}).json()["items"],
                 ask("GET", "/v1/items/3/similar").json()["items"]]
        connection.close()
        return items

    def run(self):
        if self.server.process.poll() is not None:
            raise Failure(f"the server has ended with status {self.server.process.returncode}: {''.join(self.server.messages[-50:])}")
        if self.answers() != self.expected:
            raise Failure("a well-formed request has another answer than at the beginning")


def play(server, n, seed, between=250):
    """Sends n pieces of bytes. Returns how many answers of each status there were."""
    check, maker, counts = Check(server), Maker(seed), collections.Counter()
    for i in range(n):
        parts, way = maker.next()
        try:
            answer, is_whole = exchange(server.port, parts, way)
            statuses = check_answers(answer, is_whole, b"HEAD" in b"".join(parts).upper())
            counts.update(statuses if statuses else ["no answer"])
            if i % between == between - 1 or i == n - 1:
                check.run()
        except (Failure, OSError, KeyError, ValueError) as failure:
            with_messages = "".join(server.messages[-30:])
            raise Failure(f"request {i} of seed {seed}, {way}: {parts}\n{type(failure).__name__}: {failure}\n{with_messages}") from failure
    return counts


def main():
    import serve_test
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("model", help="a model with the items 3 and 17, such as one of gru4rec synth")
    arguments.add_argument("--requests", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    serve_test.PROGRAM = os.path.abspath(options.program)
    with tempfile.TemporaryDirectory() as folder:
        server = serve_test.Server(folder, os.path.abspath(options.model), "--state", ".", "--log", "log", "--request-time", "5",
                                   "--max-body", "100000")
        begin = time.monotonic()
        try:
            counts = play(server, options.requests, options.seed)
        except Failure as failure:
            print(failure)
            server.kill()
            sys.exit(1)
        print(f"{options.requests} requests in {time.monotonic() - begin:.0f} s; answers by status: "
              + ", ".join(f"{status}: {n}" for status, n in sorted(counts.items(), key=str)))
        status = server.stop()
        if status != 0 or any("Sanitizer" in line or "runtime error" in line for line in server.messages):
            print(f"the server ended with status {status}: {''.join(server.messages)}")
            sys.exit(1)


if __name__ == "__main__":
    main()
