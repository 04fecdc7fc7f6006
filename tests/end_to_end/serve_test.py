"""gru4rec serve: every route, every error, limits, token, reload, filter, stop.

The program is the first argument or GRU4REC_PROGRAM; without either the test is skipped (exit status 77), as it is if the
program was built without its server.
"""
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "server"))
import malformed
from program_under_test import maps_much_memory, program_under_test

PROGRAM = None
TOKEN = "a-token-of-more-than-sixteen-characters"
PARAMETERS = "layers=16,n_epochs=2,n_sample=32"


def quoted(text):
    return urllib.parse.quote(text, safe="")


def threads_with_time(process):
    """The processor time of each thread so far, in nanoseconds."""
    return {path.name: int((path / "schedstat").read_text().split()[0])
            for path in pathlib.Path(f"/proc/{process}/task").iterdir()}


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Server:
    """A running server, with its messages and one connection that is kept."""
    def __init__(self, folder, model, *options, listen="127.0.0.1:0"):
        self.process = subprocess.Popen([PROGRAM, "serve", str(model), "--listen", listen, *map(str, options)],
                                        cwd=folder, stderr=subprocess.PIPE, text=True)
        self.messages = []
        self.port = 0
        self.started = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.connection = None
        if not self.started.wait(60) or not self.port:
            self.kill()
            raise AssertionError("the server did not start: " + "".join(self.messages))

    def _read(self):
        for line in self.process.stderr:
            self.messages.append(line)
            if match := re.search(r" at http://[\d.]+:(\d+)$", line.strip()):
                self.port = int(match[1])
                self.started.set()
        self.started.set()

    def new_connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method, path, body=None, headers=(), connection=None):
        """`body` is sent as JSON, bytes as they are."""
        if connection is None:
            self.connection = self.connection or self.new_connection()
            connection = self.connection
        headers = dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        return Reply(connection.getresponse())

    def send_raw(self, data, timeout=10.0):
        """What a server answers to bytes until it closes the connection or nothing comes any more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as s:
            s.sendall(data)
            answer = b""
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while part := s.recv(65536):
                    answer += part
            return answer

    def wait_for_message(self, fragment, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(fragment in line for line in self.messages):
                return
            time.sleep(0.02)
        raise AssertionError(f"no message with '{fragment}': {self.messages}")

    def metric(self, name):
        for line in self.ask("GET", "/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0.0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.reader.join(5)
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        if self.connection:
            self.connection.close()


class ServeTest(unittest.TestCase):
    """Two models of one shop are trained once; every test has a folder of its own."""

    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.TemporaryDirectory()
        cls.models = pathlib.Path(cls.data.name)
        run = lambda *arguments: subprocess.run([PROGRAM, *arguments], cwd=cls.models, check=True, capture_output=True)
        run("synth", "shop.tsv", "--sessions", "800", "--items", "60")
        for name, more in (("a", ""), ("b", ",learning_rate=0.2")):
            run("train", "shop.tsv", "--params", PARAMETERS + more, "--save", f"{name}.safetensors")
        run("train", "shop.tsv", "--params", PARAMETERS, "--precision", "double", "--save", "double.safetensors")
        cls.hashes = {name: json.loads(run("inspect", f"{name}.safetensors", "--json").stdout)["content_hash"]
                      for name in ("a", "b", "double")}

    @classmethod
    def tearDownClass(cls):
        cls.data.cleanup()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        shutil.copy(self.models / "a.safetensors", self.folder / "model.safetensors")

    def serve(self, *options, model="model.safetensors", **more):
        server = Server(self.folder, model, *options, **more)
        self.addCleanup(server.kill)
        return server

    def replace_model(self, name):
        """As a careful person does it: in one step."""
        shutil.copy(self.models / f"{name}.safetensors", self.folder / "new")
        os.replace(self.folder / "new", self.folder / "model.safetensors")

    def list_of_program(self, session, top, model="model.safetensors"):
        done = subprocess.run([PROGRAM, "recommend", str(model), "--session", ",".join(session), "--top", str(top)],
                              cwd=self.folder, check=True, capture_output=True, text=True)
        return [(item, float(score)) for _, item, score in
                (line.split("\t") for line in done.stdout.splitlines()[1:])]

    def same_list(self, answer, expected):
        self.assertEqual([entry["id"] for entry in answer["items"]], [item for item, _ in expected])
        for entry, (_, score) in zip(answer["items"], expected):
            self.assertAlmostEqual(entry["score"], score, delta=6e-7 + abs(score) * 1e-6)

    def refused(self, reply, status, code, fragment=""):
        self.assertEqual(reply.status, status, reply.body)
        self.assertEqual(reply.headers["Content-Type"], "application/json")
        error = reply.json()["error"]
        self.assertEqual(error["code"], code, error)
        self.assertIn(fragment, error["message"])

    # Routes

    def test_a_live_session_gets_what_recommend_gives_for_the_same_items(self):
        for options, model in (((), "a"), (("--exact",), "a"), ((), "double")):
            with self.subTest(options=options, model=model):
                self.replace_model(model)
                server = self.serve(*options)
                session = []
                for item in ("3", "17", "5", "3"):
                    session.append(item)
                    answer = server.ask("POST", "/v1/sessions/visitor%201/events", {"item": item, "n": 7}).json()
                    self.same_list(answer, self.list_of_program(session, 7))
                    self.assertEqual(answer["events"], len(session))
                    self.assertEqual(answer["model"], self.hashes[model])
                    self.assertGreaterEqual(answer["microseconds"], 0)
                again = server.ask("GET", "/v1/sessions/visitor%201/recommendations?n=7").json()
                self.assertEqual(again["items"], answer["items"])
                self.assertEqual(server.stop(), 0)

    def test_sessions_in_the_request_get_the_same_lists_alone_and_in_a_batch(self):
        server = self.serve()
        sessions = [["3", "17", "5"], [], ["40"], [str(i % 60) for i in range(50)]]
        batch = server.ask("POST", "/v1/recommend/batch",
                           {"requests": [{"session": s, "n": 5 + i} for i, s in enumerate(sessions)]}).json()
        for i, session in enumerate(sessions):
            alone = server.ask("POST", "/v1/recommend", {"session": session, "n": 5 + i}).json()
            self.same_list(alone, self.list_of_program(session, 5 + i))
            self.assertEqual(batch["results"][i], {key: alone[key] for key in ("items", "events", "unknown")})
        self.assertEqual(server.metric("gru4rec_sessions"), 0)

    def test_many_sessions_of_a_batch_and_many_clients_at_once_get_what_each_gets_alone(self):
        server = self.serve("--threads", "2")
        sessions = [[str((7 * i + k) % 60) for k in range(i % 9)] for i in range(100)]
        alone = [server.ask("POST", "/v1/recommend", {"session": s}).json()["items"] for s in sessions]
        batch = server.ask("POST", "/v1/recommend/batch", {"requests": [{"session": s} for s in sessions]}).json()
        self.assertEqual([result["items"] for result in batch["results"]], alone)
        failures = []

        def client(first):
            connection = server.new_connection()
            for i in range(first, 100, 10):
                items = server.ask("POST", "/v1/recommend", {"session": sessions[i]}, connection=connection).json()["items"]
                if items != alone[i]:
                    failures.append(i)
            connection.close()
        threads = [threading.Thread(target=client, args=(first,)) for first in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_excluded_items_are_left_out_and_only_those_asked_for_are_ranked(self):
        server = self.serve()
        whole = server.ask("POST", "/v1/recommend", {"session": ["3", "17"], "n": 60}).json()["items"]
        best = [entry["id"] for entry in whole]
        left_out = server.ask("POST", "/v1/recommend", {"session": ["3", "17"], "n": 5, "exclude": best[:3] + best[4:5]})
        self.assertEqual([e["id"] for e in left_out.json()["items"]], [best[3]] + best[5:9])
        only = server.ask("POST", "/v1/recommend", {"session": [3, 17], "only": [best[9], best[2], best[9]]})
        self.assertEqual(only.json()["items"], [whole[2], whole[9]])
        self.assertEqual(server.ask("POST", "/v1/recommend", {"session": ["3"], "only": []}).json()["items"], [])
        server.ask("POST", "/v1/sessions/v/events", {"items": ["3", "17"], "n": 0})
        query = f"n=5&exclude={best[0]}&exclude={best[2]}"
        asked = server.ask("GET", f"/v1/sessions/v/recommendations?{query}").json()["items"]
        self.assertEqual([e["id"] for e in asked], [best[1]] + best[3:7])
        asked = server.ask("GET", f"/v1/sessions/v/recommendations?only={best[4]}&only={best[1]}").json()["items"]
        self.assertEqual(asked, [whole[1], whole[4]])

    def test_a_list_of_no_items_is_fed_and_not_ranked(self):
        server = self.serve()
        answer = server.ask("POST", "/v1/sessions/v/events", {"items": ["3", "17", "5"], "n": 0}).json()
        self.assertEqual((answer["items"], answer["events"]), ([], 3))
        answer = server.ask("POST", "/v1/sessions/v/events", {"item": "4", "n": 3}).json()
        self.same_list(answer, self.list_of_program(["3", "17", "5", "4"], 3))

    def test_similar_items_come_by_cosine_without_the_item_itself(self):
        server = self.serve()
        answer = server.ask("GET", "/v1/items/17/similar?n=59").json()
        scores = [entry["score"] for entry in answer["items"]]
        self.assertEqual(len(scores), 59)
        self.assertNotIn("17", [entry["id"] for entry in answer["items"]])
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertTrue(all(-1.0001 <= score <= 1.0001 for score in scores))
        first = answer["items"][0]["id"]
        back = {entry["id"]: entry["score"] for entry in server.ask("GET", f"/v1/items/{first}/similar?n=59").json()["items"]}
        self.assertAlmostEqual(back["17"], scores[0], places=5)
        without = server.ask("GET", f"/v1/items/17/similar?n=3&exclude={first}").json()
        self.assertEqual(without["items"], answer["items"][1:4])
        self.refused(server.ask("GET", "/v1/items/none/similar"), 404, "unknown_item", '"none"')

    def test_a_session_that_is_ended_is_gone(self):
        server = self.serve()
        server.ask("POST", "/v1/sessions/v/events", {"item": "3"})
        self.assertEqual(server.metric("gru4rec_sessions"), 1)
        reply = server.ask("DELETE", "/v1/sessions/v")
        self.assertEqual((reply.status, reply.body), (204, b""))
        self.refused(server.ask("DELETE", "/v1/sessions/v"), 404, "unknown_session")
        self.refused(server.ask("GET", "/v1/sessions/v/recommendations"), 404, "unknown_session")

    def test_unknown_items_are_listed_or_refused_as_the_request_says(self):
        server = self.serve()
        answer = server.ask("POST", "/v1/recommend", {"session": ["3", "gone", "17"], "exclude": ["lost\n\"é"], "n": 4}).json()
        self.same_list(answer, self.list_of_program(["3", "17"], 4))
        self.assertEqual(sorted(answer["unknown"]), ["gone", "lost\n\"é"])
        self.assertEqual(answer["events"], 2)
        reply = server.ask("POST", "/v1/recommend", {"session": ["3", "gone"], "unknown": "error"})
        self.refused(reply, 422, "unknown_item", 'session[1] = "gone"')
        reply = server.ask("POST", "/v1/sessions/v/events", {"item": "gone", "unknown": "error"})
        self.refused(reply, 422, "unknown_item", "item")
        self.refused(server.ask("GET", "/v1/sessions/v/recommendations"), 404, "unknown_session")
        reply = server.ask("POST", "/v1/recommend/batch", {"requests": [{"session": []}, {"session": ["gone"], "unknown": "error"}]})
        self.refused(reply, 422, "unknown_item", "requests[1].session[0]")

    def test_scores_are_read_back_as_the_model_has_them(self):
        server = self.serve(model=self.models / "double.safetensors")
        whole = server.ask("POST", "/v1/recommend", {"session": ["3", "17"], "n": 60}).json()["items"]
        scores = [entry["score"] for entry in whole]
        self.assertEqual(len(set(scores)), 60)
        self.assertTrue(any(len(repr(score)) > 15 for score in scores), "digits of a double")

    def test_the_filter_holds_for_all_requests_and_over_a_restart(self):
        (self.folder / "kept").mkdir()
        server = self.serve("--state", "kept")
        self.assertEqual(server.ask("GET", "/v1/filter").json(), {"exclude": []})
        before = server.ask("POST", "/v1/recommend", {"session": ["3"], "n": 60}).json()["items"]
        sold_out = [before[0]["id"], before[2]["id"]]
        report = server.ask("PUT", "/v1/filter", {"exclude": sold_out + ["not an item"]}).json()
        self.assertEqual(report, {"items": 60, "allowed": 58, "n_unknown": 1, "unknown": ["not an item"]})
        expected = [before[1], *before[3:]]
        self.assertEqual(server.ask("POST", "/v1/recommend", {"session": ["3"], "n": 60}).json()["items"], expected)
        similar = [e["id"] for e in server.ask("GET", "/v1/items/3/similar?n=60").json()["items"]]
        self.assertFalse(set(similar) & set(sold_out))
        self.assertEqual(server.ask("GET", "/v1/filter").json(), {"exclude": sold_out + ["not an item"]})
        self.assertEqual(server.stop(), 0)

        server = self.serve("--state", "kept")
        self.assertEqual(server.ask("POST", "/v1/recommend", {"session": ["3"], "n": 60}).json()["items"], expected)
        server.ask("PUT", "/v1/filter", {"only": [before[5]["id"]]})
        self.assertEqual(server.ask("POST", "/v1/recommend", {"session": ["3"]}).json()["items"], [before[5]])
        reply = server.ask("PUT", "/v1/filter", {"only": ["x"], "unknown": "error"})
        self.refused(reply, 422, "unknown_item")
        self.assertEqual(server.ask("GET", "/v1/filter").json(), {"only": [before[5]["id"]]})
        server.ask("PUT", "/v1/filter", {"only": []})
        self.assertEqual(server.ask("POST", "/v1/recommend", {"session": ["3"]}).json()["items"], [])
        server.kill()  # what was answered is on the disk
        self.assertEqual(json.loads((self.folder / "kept/filter.json").read_text()), {"only": []})
        server = self.serve("--state", "kept")
        server.ask("PUT", "/v1/filter", {"exclude": []})
        self.assertEqual(server.ask("POST", "/v1/recommend", {"session": ["3"], "n": 60}).json()["items"], before)

    def test_health_readiness_metrics_and_the_document_are_there(self):
        server = self.serve()
        self.assertEqual(server.ask("GET", "/healthz").json(), {"status": "ok"})
        ready = server.ask("GET", "/readyz").json()
        self.assertEqual((ready["status"], ready["model"], ready["items"], ready["last_reload"]),
                         ("ready", self.hashes["a"], 60, "none"))
        document = server.ask("GET", "/openapi.json").json()
        self.assertEqual(document["openapi"], "3.0.3")
        for path in document["paths"]:
            self.assertNotEqual(server.ask("PATCH", path.replace("{id}", "1")).status, 404, path)
        head = server.ask("HEAD", "/healthz")
        self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", "16"))
        server.ask("POST", "/v1/recommend", {"session": []})
        server.ask("POST", "/v1/recommend", {"session": 1})
        text = server.ask("GET", "/metrics").body.decode()
        for line in ('gru4rec_requests_total{route="/v1/recommend",method="POST",status="200"} 1',
                     'gru4rec_requests_total{route="/v1/recommend",method="POST",status="422"} 1',
                     'gru4rec_errors_total{status="422"} 1', "gru4rec_model_items 60", "gru4rec_sessions 0",
                     'gru4rec_request_duration_seconds_count{route="/v1/recommend",method="POST"} 2',
                     f'gru4rec_model_info{{hash="{self.hashes["a"]}",precision="float"}} 1'):
            self.assertIn(line + "\n", text)
        for line in text.splitlines():
            self.assertRegex(line, r"\A(# (HELP|TYPE) \w+ .+|\w+(\{\w+=\"[^\"]*\"(,\w+=\"[^\"]*\")*\})? [-+.\de]+)\Z")
        buckets = [int(line.split()[-1]) for line in text.splitlines()
                   if line.startswith('gru4rec_request_duration_seconds_bucket{route="/v1/recommend",')]
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual(buckets[-1], 2)
        self.assertGreater(server.metric("gru4rec_model_age_seconds"), 0)

    # Errors

    def test_what_is_wrong_with_a_request_is_said(self):
        server = self.serve("--max-n", "50", "--max-ids", "20", "--max-batch", "3")
        recommend = lambda body: server.ask("POST", "/v1/recommend", body)
        for body, code, fragment in (
                ({}, "missing_field", "session is missing"),
                ([], "wrong_type", "array"),
                ({"session": "3"}, "wrong_type", "session is of type string"),
                ({"session": [["3"]]}, "wrong_type", "session[0] is of type array"),
                ({"session": [1.5]}, "wrong_type", "a string or a whole number"),
                ({"session": [], "n": 51}, "out_of_range", "n = 51, expected a whole number from 0 to 50"),
                ({"session": [], "n": -1}, "out_of_range", "n = -1"),
                ({"session": [], "n": 2**64 - 1}, "out_of_range", "n = 18446744073709551615"),
                ({"session": [], "n": 1e300}, "wrong_type", "n is of type number"),
                ({"session": [], "n": "5"}, "wrong_type", "n is of type string"),
                ({"session": [], "exclude": {}}, "wrong_type", "exclude is of type object"),
                ({"session": [], "unknown": "maybe"}, "bad_value", '"maybe"'),
                ({"session": [], "unknown": 1}, "wrong_type", "unknown"),
                ({"session": [], "exlude": []}, "unknown_field", '"exlude"'),
                ({"session": ["3"] * 21}, "too_many", "--max-ids")):
            with self.subTest(body=body):
                self.refused(recommend(body), 422, code, fragment)
        feed = lambda body: server.ask("POST", "/v1/sessions/v/events", body)
        self.refused(feed({}), 422, "missing_field", "item")
        self.refused(feed({"item": "3", "items": ["3"]}), 422, "missing_field", "either")
        self.refused(feed({"session": ["3"], "item": "3"}), 422, "unknown_field", "session")
        batch = lambda body: server.ask("POST", "/v1/recommend/batch", body)
        self.refused(batch({"requests": [{"session": []}] * 4}), 422, "too_many", "--max-batch")
        self.refused(batch({"requests": [{"session": []}, 1]}), 422, "wrong_type", "requests[1]")
        self.refused(batch({"requests": [], "n": 1}), 422, "unknown_field", '"n"')
        self.refused(batch({"session": []}), 422, "missing_field", "requests")
        self.assertEqual(batch({"requests": []}).json()["results"], [])
        put = lambda body: server.ask("PUT", "/v1/filter", body)
        self.refused(put({"only": [], "exclude": []}), 422, "missing_field", "either")
        self.refused(put({"only": 3}), 422, "wrong_type", "only")
        self.refused(put({"only": [], "n": 3}), 422, "unknown_field", '"n"')
        for query, code in (("n=x", "out_of_range"), ("n=51", "out_of_range"), ("n=1&n=2", "unknown_parameter"),
                            ("m=1", "unknown_parameter"), ("unknown=x", "bad_value"),
                            ("exclude=nothing&unknown=error", "unknown_item")):
            self.refused(server.ask("GET", "/v1/items/3/similar?" + query), 422, code)
        self.refused(server.ask("GET", "/healthz?x=1"), 422, "unknown_parameter")
        self.refused(server.ask("POST", "/v1/recommend?n=1", {"session": []}), 422, "unknown_parameter")
        self.refused(server.ask("POST", f"/v1/sessions/{'x' * 257}/events", {"item": "3"}), 422, "bad_session_id")
        self.refused(server.ask("POST", "/v1/sessions/a%0Ab/events", {"item": "3"}), 422, "bad_session_id")
        self.refused(server.ask("POST", "/v1/sessions//events", {"item": "3"}), 422, "bad_session_id")

    def test_a_body_that_is_not_json_is_malformed(self):
        server = self.serve()
        for body in (b"", b"{", b"{\"session\": [}", b"\xff\xfe", b"{\"session\": [\"\xff\"]}", b"nul", b"[" * 100_000,
                     b"{\"session\": []} x", b"{\"session\": [], \"n\": 1e999}"):
            with self.subTest(body=body[:20]):
                self.refused(server.ask("POST", "/v1/recommend", body), 400, "bad_json")
        reply = server.ask("POST", "/v1/recommend", b"{}", {"Content-Type": "text/plain"})
        self.refused(reply, 415, "not_json", "application/json")
        good = server.ask("POST", "/v1/recommend", b'{"session":[]}', {"Content-Type": "Application/JSON; charset=utf-8"})
        self.assertEqual(good.status, 200)

    def test_unknown_paths_and_methods_are_named(self):
        server = self.serve()
        for path in ("/v2", "/v1", "/v1/recommend/", "/v2/recommend", "/v1/sessions/a/b/events", "/healthz/x"):
            self.refused(server.ask("GET", path), 404, "unknown_route")
        for method, path, allowed in (("GET", "/v1/recommend", "POST"), ("POST", "/healthz", "GET, HEAD"),
                                      ("PATCH", "/v1/filter", "GET, HEAD, PUT"), ("BREW", "/metrics", "GET, HEAD"),
                                      ("PUT", "/v1/sessions/v", "DELETE")):
            reply = server.ask(method, path)
            self.refused(reply, 405, "method_not_allowed")
            self.assertEqual(reply.headers["Allow"], allowed)
        for path in ("/v1/items/%/similar", "/v1/items/%f/similar", "/v1/items/%zz/similar", "/v1/items/%ff/similar"):
            self.refused(server.ask("GET", path), 400, "bad_target")
        self.refused(server.ask("GET", "/v1/items/" + quoted("a/b?c#d é%") + "/similar"), 404, "unknown_item", "a/b?c#d")

    def test_bytes_that_are_not_a_request_are_answered_and_the_connection_ends(self):
        server = self.serve("--request-time", "2")
        host = b"Host: localhost\r\n"
        for data, status in (
                (b"hello\r\n\r\n", 400),
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
                (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
                (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
                (b"GET healthz HTTP/1.1\r\n" + host + b"\r\n", 400),
                (b"GET /healthz HTTP/3.0\r\n" + host + b"\r\n", 505),
                (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
                (b"POST /v1/recommend HTTP/1.1\r\n" + host + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
                (b"POST /v1/recommend HTTP/1.1\r\n" + host + b"Content-Length: -3\r\n\r\n", 400),
                (b"POST /v1/recommend HTTP/1.1\r\n" + host + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                (b"POST /v1/recommend HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n"
                 b"Content-Type: application/json\r\n\r\nzz\r\n", 400),
                # Where the request ends is not known, and what follows must not be taken for another one.
                (b"GET /healthz HTTP/1.1\r\n" + host + b"Transfer-Encoding: gzip\r\n\r\nGET / HTTP/1.0\r\n\r\n", 400),
                (b"GET /healthz HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
                (b"GET /healthz HTTP/1.1\r\n" + host + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
                (b"GET /healthz HTTP/1.1\r\n" + host + b"Bad Header: 1\r\n\r\n", 400),
                (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + host + b"\r\n", 414),
                (b"GET /healthz HTTP/1.1\r\n" + host + b"X: " + b"x" * 20_000 + b"\r\n\r\n", 431),
                (b"GET /healthz HTTP/1.1\r\n" + host + b"X: 1\r\n" * 5_000 + b"\r\n", 431),
                (b"POST /v1/recommend HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
                 b"Content-Length: 99999999999\r\n\r\n", 413),
                (b"POST /v1/recommend HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n" + b" " * 1_100_000, 413),
                (b"GET /healthz HTTP/1.1\r\n" + host + b"Expect: tea\r\nConnection: close\r\n\r\n", 417)):
            with self.subTest(data=data[:60]):
                answer = server.send_raw(data)
                self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer[:200])
                head, body = answer.split(b"\r\n\r\n", 1)
                self.assertIn(b"\r\nConnection: close", head)
                self.assertIn("message", json.loads(body)["error"])
        self.assertEqual(server.ask("GET", "/healthz").status, 200)

    def test_http_1_0_chunks_expectations_and_absolute_targets_are_understood(self):
        server = self.serve()
        body = b'{"session":["3"],"n":1}'
        head = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        plain = server.send_raw(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        items = lambda answer: json.loads(answer.split(b"\r\n\r\n")[-1])["items"]
        self.assertEqual(len(items(plain)), 1)
        chunks = b"".join(b"%x;ext=1\r\n" % len(body[i:i + 5]) + body[i:i + 5] + b"\r\n" for i in range(0, len(body), 5))
        chunked = server.send_raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nAuthorization: x\r\n\r\n")
        self.assertEqual(items(chunked), items(plain))
        answer = server.send_raw(b"GET http://localhost/healthz HTTP/1.0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
            s.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            self.assertEqual(s.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            s.sendall(body)
            answer = b""
            while part := s.recv(65536):
                answer += part
            self.assertEqual(items(answer), items(plain))

    def test_pipelined_requests_are_answered_in_order(self):
        server = self.serve()
        one = lambda n: (b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d"
                         % len(b'{"session":[],"n":%d}' % n) + b"\r\n\r\n" + b'{"session":[],"n":%d}' % n)
        data = b"".join(one(n % 10) + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 11 for n in range(30))
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
            threading.Thread(target=s.sendall, args=(data + b"GET /healthz HTTP/1.0\r\n\r\n",)).start()
            answer = b""
            while part := s.recv(65536):
                answer += part
        lists = [len(json.loads(match)["items"]) for match in re.findall(rb'\{"items".*', answer)]
        self.assertEqual(lists, [n % 10 for n in range(30)])
        self.assertEqual(answer.count(b'{"status":"ok"}'), 331)

    def test_malformed_requests_of_all_kinds_are_answered_with_errors_and_change_nothing(self):
        server = self.serve("--request-time", "5", "--state", ".")
        counts = malformed.play(server, 2000, seed=20261129)
        for status in (200, 400, 404, 405, 413, 414, 415, 417, 421, 422, 431, 505):
            self.assertGreater(counts[status], 1, counts)
        self.assertEqual(server.stop(), 0)

    # Limits, access

    def test_bodies_above_the_limit_are_refused_and_below_it_are_read(self):
        server = self.serve("--max-body", "2000", "--max-filter-body", "5000", "--max-header", "1000")
        padded = lambda size: b'{"session":[]}' + b" " * (size - 14)
        self.assertEqual(server.ask("POST", "/v1/recommend", padded(2000)).status, 200)
        self.refused(server.ask("POST", "/v1/recommend", padded(2001)), 413, "body_too_large", "--max-body")
        for first_line, size, message in ((b"POST /v1/recommend", 2048, b"more than 2000 bytes (--max-body)"),
                                          (b"PUT /v1/filter", 5120, b"more than 5000 bytes (--max-filter-body)")):
            answer = server.send_raw(first_line + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                     b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + b" " * size)
            self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
            self.assertIn(message, answer)
        self.assertEqual(server.ask("PUT", "/v1/filter", b'{"only":[]}' + b" " * 4000).status, 200)
        server.connection.close()
        self.refused(server.ask("PUT", "/v1/filter", b'{"only":[]}' + b" " * 5000), 413, "body_too_large", "--max-filter-body")
        self.assertTrue(server.send_raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1000).startswith(b"HTTP/1.1 431 "))

    def test_requests_without_the_token_are_refused(self):
        (self.folder / "token").write_text(TOKEN + "\n")
        os.chmod(self.folder / "token", 0o600)
        server = self.serve("--token-file", "token", "--log", "log.jsonl")
        bearer = lambda token: {"Authorization": "Bearer " + token}
        for headers in ({}, bearer("x"), bearer(TOKEN[:-1]), bearer(TOKEN + "x"), bearer(TOKEN * 2), bearer(TOKEN.upper()),
                        {"Authorization": TOKEN}, {"Authorization": "Basic " + TOKEN}, {"Authorization": "Bearer "}):
            reply = server.ask("GET", "/v1/filter", headers=headers)
            self.refused(reply, 401, "unauthorized", "Bearer")
            self.assertEqual(reply.headers["WWW-Authenticate"], "Bearer")
        self.assertEqual(server.ask("GET", "/v1/filter", headers=bearer(TOKEN)).status, 200)
        self.assertEqual(server.ask("GET", "/v1/filter", headers={"authorization": "bearer  " + TOKEN}).status, 200)
        self.refused(server.ask("POST", "/v1/recommend", {"session": []}), 401, "unauthorized")
        self.refused(server.ask("GET", "/metrics"), 401, "unauthorized")
        self.assertEqual([server.ask("GET", path).status for path in ("/healthz", "/readyz")], [200, 200])
        # A client that does not show its token cannot make the server hold a large body.
        large = (b"PUT /v1/filter HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60000000\r\n\r\n")
        self.assertTrue(server.send_raw(large).startswith(b"HTTP/1.1 401 "))
        server.stop()
        self.assertNotIn(TOKEN, (self.folder / "log.jsonl").read_text() + "".join(server.messages))

    def test_addresses_that_others_reach_need_a_token(self):
        self.refused_at_the_start((["--listen", "0.0.0.0:0"], "--token-file"), (["--listen", "[::]:0"], "--token-file"))
        server = self.serve("--insecure", listen="0.0.0.0:0")
        self.assertEqual(server.stop(), 0)

    def test_options_that_are_wrong_are_refused_at_the_start(self):
        (self.folder / "short").write_text("secret\n")
        self.refused_at_the_start(
            (["--listen", "example.org:80"], "numeric address"), (["--listen", "127.0.0.1"], "no port"),
            (["--listen", "127.0.0.1:x"], "65535"), (["--token-file", "short"], "16 to 1024"),
            (["--token-file", "none"], "none"), (["--state", "nowhere"], "mkdir"), (["--log", "no/where"], "--log"),
            (["--redis", "http://h"], "--redis: "),
            (["--redis", "redis://h", "--redis-password-file", "none"], "--redis-password-file: "),
            (["--max-n", "0"], "--max-n"), (["--insecure", "--token-file", "short"], "--insecure"),
            (["--state", "short"], "is not a folder"), (["--idle-time", "106751991167d"], "at most"),
            (["--request-time", "9223372036s"], "at most"), (["--session-time", "9223372036s"], "at most"))

    def test_a_file_that_may_not_grow_fails_that_request_alone(self):
        (self.folder / "state").mkdir()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # inherited
        try:
            server = self.serve("--state", "state", "--log", "log")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.refused(server.ask("PUT", "/v1/filter", {"exclude": [str(i) for i in range(1000)]}), 503, "filter_not_kept")
        for _ in range(30):
            self.assertEqual(server.ask("GET", "/healthz").status, 200)
        self.assertEqual(server.ask("PUT", "/v1/filter", {"exclude": ["3"]}).status, 200)
        self.assertEqual(server.stop(), 0)

    def test_a_byte_0_in_json_is_refused_and_what_follows_it_is_not_lost(self):
        server = self.serve()
        for body in (b'{"exclude": ["3"]}\0, "2"]}', b'{"exclude": ["3"]\0}', b'\0{"exclude": ["3"]}'):
            self.refused(server.ask("PUT", "/v1/filter", body), 400, "bad_json")
        self.assertEqual(server.ask("GET", "/v1/filter").json(), {"exclude": []})

    def test_threads_that_the_system_does_not_start_are_an_error(self):
        if maps_much_memory(PROGRAM):
            self.skipTest("a sanitizer maps more than the limit")

        def leave_room_for_some():  # a thread takes the room of its stack
            for limit, most in ((resource.RLIMIT_STACK, 16 << 20), (resource.RLIMIT_AS, 1 << 30)):
                resource.setrlimit(limit, (most, resource.getrlimit(limit)[1]))
        done = subprocess.run([PROGRAM, "serve", "model.safetensors", "--listen", "127.0.0.1:0", "--threads", "100"],
                              cwd=self.folder, capture_output=True, text=True, timeout=30, preexec_fn=leave_room_for_some)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"\Agru4rec: --threads: the system starts \d+ of 100 threads: [^\n]+\n\Z")

    def test_the_log_is_not_written_into_a_file_that_is_read(self):
        for option, name in (("MODEL", "model.safetensors"), ("--token-file", "token"), ("--catalogue", "names.tsv")):
            (self.folder / "names.tsv").write_text("id\tname\n")
            (self.folder / "token").write_text("x" * 16 + "\n")
            self.refused_at_the_start((["--token-file", "token", "--catalogue", "names.tsv", "--log", "./" + name],
                                       f"--log: './{name}' would overwrite the file of {option}"))

    def test_a_field_that_is_given_twice_is_refused(self):
        server = self.serve()
        for path, body, field in (("recommend", b'{"session": ["3"], "exclude": ["4"], "exclude": ["5"]}', "exclude"),
                                  ("recommend", b'{"session": ["3"], "n": 1, "\\u006e": 2}', "n"),
                                  ("recommend/batch", b'{"requests": [{"session": ["3"], "session": []}]}', "session"),
                                  ("recommend", b'{"' + b"x" * 1000 + b'": 1, "' + b"x" * 1000 + b'": 1}', "xxx"),
                                  ("sessions/v/events", b'{"item": "3", "item": "4"}', "item")):
            self.refused(server.ask("POST", "/v1/" + path, body), 400, "bad_json", f'the field "{field}')
        self.refused(server.ask("GET", "/v1/sessions/v/recommendations"), 404, "unknown_session")
        self.refused(server.ask("PUT", "/v1/filter", b'{"exclude": ["3"], "exclude": []}'), 400, "bad_json", '"exclude" twice')
        self.assertEqual(server.ask("GET", "/v1/filter").json(), {"exclude": []})

    def refused_at_the_start(self, *cases):
        for options, fragment in cases:
            with self.subTest(options=options):
                done = subprocess.run([PROGRAM, "serve", "model.safetensors", *options], cwd=self.folder,
                                      capture_output=True, text=True, timeout=30)
                self.assertIn(done.returncode, (2, 3), done.stderr)
                self.assertRegex(done.stderr, r"\Agru4rec: [^\n]+\n\Z")
                self.assertIn(fragment, done.stderr)

    def test_a_page_that_gives_the_server_a_name_of_its_own_reads_and_changes_nothing(self):
        server = self.serve()
        ask = lambda host, target=b"/v1/filter", version=b"1.1": server.send_raw(
            b"GET " + target + b" HTTP/" + version + b"\r\n" + (b"Host: " + host + b"\r\n" if host is not None else b"") +
            b"Connection: close\r\n\r\n")
        port = b":%d" % server.port
        for host in (b"localhost", b"LOCALHOST" + port, b"127.0.0.1" + port, b"[::1]" + port, b"192.168.1.9"):
            self.assertTrue(ask(host).startswith(b"HTTP/1.1 200 "), host)
        self.assertTrue(ask(None, version=b"1.0").startswith(b"HTTP/1.1 200 "))
        for host in (b"shop.example", b"shop.example" + port, b"localhost.shop.example" + port, b"127.0.0.1.shop.example", b"",
                     b"a@127.0.0.1", b"shop\xff.example"):
            for target in (b"/v1/filter", b"/", b"/healthz", b"/nowhere", b"http://localhost/v1/filter"):
                answer = ask(host, target)
                self.assertTrue(answer.startswith(b"HTTP/1.1 421 Misdirected Request\r\n"), answer)
                error = json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]
                self.assertEqual(error["code"], "wrong_host")
                self.assertIn("--token-file", error["message"])
        self.assertTrue(ask(b"localhost", b"http://shop.example/v1/filter").startswith(b"HTTP/1.1 421 "))
        self.assertTrue(ask(None, b"http://shop.example/v1/filter", b"1.0").startswith(b"HTTP/1.1 421 "))
        self.refused(server.ask("PUT", "/v1/filter", {"only": []}, {"Host": "shop.example"}), 421, "wrong_host")
        self.assertEqual(server.ask("GET", "/v1/filter").json(), {"exclude": []})
        (self.folder / "token").write_text(TOKEN)
        for options, headers in ((["--token-file", "token"], {"Authorization": "Bearer " + TOKEN}), (["--insecure"], {})):
            server = self.serve(*options)
            self.assertEqual(server.ask("GET", "/v1/filter", headers={"Host": "shop.example", **headers}).status, 200)

    def test_what_a_page_of_another_origin_can_send_changes_nothing(self):
        # Such a page may send these without asking first, that is without OPTIONS.
        server = self.serve()
        for kind in ("text/plain", "text/plain; application/json", "text/plain;charset=UTF-8", "multipart/form-data",
                     "application/x-www-form-urlencoded", ""):
            for path in ("/v1/sessions/v/events", "/v1/recommend", "/v1/recommend/batch"):
                reply = server.ask("POST", path, b'{"item": "3"}', {"Content-Type": kind, "Origin": "http://shop.example"})
                self.refused(reply, 415, "not_json")
        answer = server.send_raw(b"POST /v1/sessions/v/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n"
                                 b"Connection: close\r\n\r\n{\"item\": \"3\"}")
        self.assertTrue(answer.startswith(b"HTTP/1.1 415 "), answer)
        self.assertEqual(server.metric("gru4rec_sessions"), 0)
        for method, path in (("PUT", "/v1/filter"), ("DELETE", "/v1/sessions/v"), ("POST", "/v1/recommend")):
            reply = server.ask("OPTIONS", path, headers={"Origin": "http://shop.example", "Access-Control-Request-Method": method})
            self.refused(reply, 405, "method_not_allowed")
            self.assertFalse([name for name in reply.headers if name.lower().startswith("access-control")])
        reply = server.ask("GET", "/v1/filter", headers={"Origin": "http://shop.example"})
        self.assertFalse([name for name in reply.headers if name.lower().startswith("access-control")])

    def test_an_address_that_is_taken_is_said_at_once(self):
        server = self.serve()
        done = subprocess.run([PROGRAM, "serve", "model.safetensors", "--listen", f"127.0.0.1:{server.port}"],
                              cwd=self.folder, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 3)
        self.assertIn("choose another address or port", done.stderr)

    def test_connections_above_the_limit_are_turned_away(self):
        server = self.serve("--max-connections", "3")
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        for s in held:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 200 "))
        answer = server.send_raw(b"")
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertIn(b"too_many_connections", answer)
        self.assertIn(b"the server has all 3 connections that it allows (--max-connections)", answer)
        for header in (b"\r\nDate: ", b"\r\nCache-Control: no-store\r\n", b"\r\nX-Content-Type-Options: nosniff\r\n",
                       b"\r\nRetry-After: 1\r\n", b"\r\nConnection: close\r\n"):
            self.assertIn(header, answer)
        # One that is still sending gets its answer, too, and not a reset.
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
            for _ in range(10):
                s.sendall(b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 30_000)
                time.sleep(0.02)
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 503 "))
        # And many of them, or one that never ends, hold up nobody.
        many = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(60)]
        held[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(held[0].recv(1000).startswith(b"HTTP/1.1 200 "))
        for s in many:
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 503 "))
        time.sleep(1.5)
        for s in many:  # which are closed by the server after a second
            with contextlib.suppress(OSError):
                s.sendall(b"x")
                time.sleep(0.01)
                s.sendall(b"x")
                self.fail("the connection is still there")
            s.close()
        held.pop().close()
        end = time.monotonic() + 10
        while not (status := server.send_raw(b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 "):
            self.assertLess(time.monotonic(), end, status)
        for s in held:
            s.close()

    def test_slow_and_idle_clients_are_let_go_and_hold_up_nobody(self):
        server = self.serve("--request-time", "1", "--idle-time", "2", "--threads", "1")
        slow = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(50)]
        idle = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        half = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        half.sendall(b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")
        for byte in b"GET /":
            for s in slow:
                with contextlib.suppress(OSError):
                    s.send(bytes([byte]))
            begin = time.monotonic()
            self.assertEqual(server.ask("GET", "/healthz", connection=server.new_connection()).status, 200)
            self.assertLess(time.monotonic() - begin, 0.5)
            time.sleep(0.1)
        for s in (*slow, half):
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 408 "))
        self.assertEqual(idle.recv(1000), b"")
        for s in (*slow, half, idle):
            s.close()

    def test_a_client_that_does_not_take_its_answers_is_let_go(self):
        server = self.serve("--request-time", "1")
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
            with contextlib.suppress(OSError):
                s.sendall(request * 500)
            end = time.monotonic() + 15
            while server.metric("gru4rec_connections") > 1:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.1)

    def test_sessions_end_when_they_are_idle_and_make_room_when_there_are_too_many(self):
        server = self.serve("--max-sessions", "5", "--session-time", "1")
        for i in range(12):
            server.ask("POST", f"/v1/sessions/{i}/events", {"item": "3"})
        self.assertLessEqual(server.metric("gru4rec_sessions"), 5)
        self.assertEqual(server.ask("GET", "/v1/sessions/11/recommendations").status, 200)
        self.refused(server.ask("GET", "/v1/sessions/0/recommendations"), 404, "unknown_session")
        end = time.monotonic() + 10
        while server.metric("gru4rec_sessions") > 0:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        self.refused(server.ask("GET", "/v1/sessions/11/recommendations"), 404, "unknown_session")

    def test_sessions_make_room_when_they_take_too_much_memory(self):
        server = self.serve("--session-memory", "1")
        connection = server.new_connection()
        for i in range(8_000):
            server.ask("POST", f"/v1/sessions/{i}/events", {"item": "3", "n": 0}, connection=connection)
        connection.close()
        self.assertLessEqual(server.metric("gru4rec_session_bytes"), 2**20)
        self.assertGreater(server.metric('gru4rec_sessions_total{event="evicted"}'), 0)
        self.assertEqual(server.ask("GET", "/v1/sessions/7999/recommendations").status, 200)
        self.refused(server.ask("GET", "/v1/sessions/0/recommendations"), 404, "unknown_session")

    def test_the_threads_share_the_connections(self):
        for threads in (1, 3):
            server = self.serve("--threads", threads)
            connections = [server.new_connection() for _ in range(6)]
            before = threads_with_time(server.process.pid)
            for connection in connections:
                for _ in range(300):
                    server.ask("GET", "/openapi.json", connection=connection)
                connection.close()
            spent = {name: time - before.get(name, 0) for name, time in threads_with_time(server.process.pid).items()}
            busy = [name for name, time in spent.items() if time > 2_000_000]
            self.assertEqual(len(busy), threads, spent)
            self.assertEqual(server.stop(), 0)

    def test_a_reload_that_failed_is_tried_again_though_the_model_file_stays(self):
        names = self.folder / "names.tsv"
        names.write_text("id\tname\n1\tOne\n")
        server = self.serve("--catalogue", "names.tsv")
        names.write_text("not a catalogue\n")
        self.replace_model("b")
        server.wait_for_message("what was served before is still served")
        self.assertEqual(server.ask("GET", "/readyz").json()["model"], self.hashes["a"])
        names.write_text("id\tname\n1\tUno\n")
        server.wait_for_message("a new model was loaded")
        ready = server.ask("GET", "/readyz").json()
        self.assertEqual((ready["model"], ready["last_reload"]), (self.hashes["b"], "loaded"))
        self.assertEqual(server.ask("GET", "/v1/items?search=uno").json()["items"], [{"id": "1", "name": "Uno"}])
        # What fails in the same way again and again is told once.
        self.assertEqual(sum("what was served before" in line for line in server.messages), 1)

    def test_a_redis_that_takes_no_writes_is_not_ready(self):
        if not shutil.which("redis-server"):
            self.skipTest("there is no redis-server")
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        redis = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                  "--appendonly", "no"], cwd=self.folder, stdout=subprocess.DEVNULL)
        self.addCleanup(redis.wait)
        self.addCleanup(redis.kill)

        def tell_redis(command):
            end = time.monotonic() + 10
            while True:
                try:
                    with socket.create_connection(("127.0.0.1", port)) as connection:
                        connection.sendall(command.encode() + b"\r\n")
                        return self.assertEqual(connection.recv(100), b"+OK\r\n")
                except OSError:
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.02)
        tell_redis("CONFIG SET maxmemory 0")
        server = self.serve("--redis", f"redis://127.0.0.1:{port}")
        self.assertEqual(server.ask("GET", "/readyz").status, 200)
        for full, whole, reason in (("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
                                    ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY")):
            tell_redis(full)
            self.refused(server.ask("POST", "/v1/sessions/v/events", {"item": "3"}), 503, "sessions_unavailable")
            ready = server.ask("GET", "/readyz")
            self.assertEqual((ready.status, ready.json()["status"]), (503, "unavailable"))
            self.assertIn(reason, ready.json()["detail"])
            tell_redis(whole)
            self.assertEqual(server.ask("POST", "/v1/sessions/v/events", {"item": "3"}).status, 200)
            self.assertEqual(server.ask("GET", "/readyz").status, 200)

    def test_sessions_in_redis_are_shared_by_servers_and_outlive_them(self):
        if not shutil.which("redis-server"):
            self.skipTest("there is no redis-server")
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        (self.folder / "password").write_text("not-to-be-shown\n")

        def start_redis():
            redis = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                      "--appendonly", "no", "--requirepass", "not-to-be-shown"],
                                     cwd=self.folder, stdout=subprocess.DEVNULL)
            self.addCleanup(redis.wait)
            self.addCleanup(redis.kill)
            end = time.monotonic() + 10
            while time.monotonic() < end:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    return redis
                time.sleep(0.02)
            raise AssertionError("redis-server did not start")
        redis = start_redis()
        options = ("--redis", f"redis://127.0.0.1:{port}/1", "--redis-password-file", "password")
        servers = [self.serve(*options), self.serve(*options)]
        session = []
        for i in range(6):
            session.append(str(1 + 7 * i))
            answer = servers[i % 2].ask("POST", "/v1/sessions/v/events", {"item": session[-1], "n": 5}).json()
            self.assertEqual(answer["events"], i + 1)
            self.same_list(answer, self.list_of_program(session, 5))
        servers[0].kill()
        servers[0] = self.serve(*options)
        self.assertEqual(servers[0].ask("GET", "/v1/sessions/v/recommendations?n=5").json()["items"], answer["items"])
        self.assertEqual(servers[1].ask("DELETE", "/v1/sessions/v").status, 204)
        self.refused(servers[0].ask("GET", "/v1/sessions/v/recommendations"), 404, "unknown_session")
        self.refused(servers[0].ask("DELETE", "/v1/sessions/v"), 404, "unknown_session")
        redis.kill()
        redis.wait()
        begin = time.monotonic()
        reply = servers[0].ask("POST", "/v1/sessions/v/events", {"item": "3"})
        self.refused(reply, 503, "sessions_unavailable")
        self.assertEqual(reply.headers["Retry-After"], "1")
        self.assertLess(time.monotonic() - begin, 2)
        self.assertEqual(servers[0].ask("POST", "/v1/recommend", {"session": ["3"]}).status, 200)
        ready = servers[0].ask("GET", "/readyz")
        self.assertEqual((ready.status, ready.json()["status"]), (503, "unavailable"))
        self.assertGreater(servers[0].metric("gru4rec_session_failures_total"), 0)
        self.assertIn(f"127.0.0.1:{port}", ready.json()["detail"])
        (self.folder / "token").write_text(TOKEN)
        guarded = self.serve(*options, "--token-file", "token")
        for headers, is_told in (({}, False), ({"Authorization": "Bearer " + TOKEN}, True)):
            ready = guarded.ask("GET", "/readyz", headers=headers)
            self.assertEqual((ready.status, ready.json()["status"]), (503, "unavailable"))
            self.assertEqual(str(port) in ready.body.decode(), is_told, ready.body)
        start_redis()
        end = time.monotonic() + 10
        while servers[0].ask("POST", "/v1/sessions/v/events", {"item": "3"}).status != 200:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        self.assertEqual(servers[0].ask("GET", "/readyz").status, 200)
        self.assertNotIn("not-to-be-shown", "".join(servers[0].messages) + reply.body.decode())

    def test_passwords_that_other_users_of_the_machine_can_see_are_told(self):
        file = self.folder / "password"
        file.write_text("not-to-be-shown\n")
        with socket.create_server(("127.0.0.1", 0)) as s:
            address = f"127.0.0.1:{s.getsockname()[1]}"  # nobody answers there
        in_file = ("--redis", f"redis://{address}", "--redis-password-file", "password")
        for rights, options, told in ((0o644, in_file, "--redis-password-file: other users of this machine may read 'password'"),
                                      (0o600, in_file, None),
                                      (0o600, ("--redis", f"redis://:not-to-be-shown@{address}"), "--redis: other users can see the password"),
                                      (0o600, ("--redis", f"redis://{address}"), None)):
            with self.subTest(options=options, rights=rights):
                file.chmod(rights)
                server = self.serve(*options)
                self.assertEqual(server.stop(), 0)
                messages = "".join(server.messages)
                self.assertEqual("other users" in messages, told is not None, messages)
                self.assertIn(told or "", messages)
                self.assertNotIn("not-to-be-shown", messages)

    # Operation

    def test_a_changed_file_is_served_without_a_lost_request(self):
        server = self.serve("--threads", "2")
        lists = {}
        for name in ("a", "b"):
            lists[self.hashes[name]] = [item for item, _ in self.list_of_program(["3", "17"], 5, self.models / f"{name}.safetensors")]
        self.assertNotEqual(*lists.values())
        stop = threading.Event()
        wrong, counts = [], {hash: 0 for hash in lists}

        def client():
            connection = server.new_connection()
            while not stop.is_set():
                try:
                    answer = server.ask("POST", "/v1/recommend", {"session": ["3", "17"], "n": 5}, connection=connection)
                    content = answer.json()
                    if answer.status != 200 or [e["id"] for e in content["items"]] != lists[content["model"]]:
                        wrong.append(content)
                    counts[content["model"]] += 1
                except Exception as error:  # a lost request
                    wrong.append(repr(error))
                    connection = server.new_connection()
            connection.close()
        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        for swap, name in enumerate(("b", "a", "b")):
            self.replace_model(name)
            if swap < 2:
                server.process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 20
            while server.ask("GET", "/readyz").json()["model"] != self.hashes[name]:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.02)
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertGreater(min(counts.values()), 0)
        self.assertEqual(server.metric('gru4rec_reloads_total{result="loaded"}'), 3)
        self.assertEqual(server.ask("POST", "/v1/recommend", {"session": ["3", "17"], "n": 5}).json()["model"], self.hashes["b"])

    def test_only_lists_that_are_made_are_counted(self):
        server = self.serve()
        figures = lambda: (server.metric("gru4rec_lists_total"), server.metric("gru4rec_turns_total"))
        self.assertEqual(server.ask("POST", "/v1/sessions/v/events", {"item": "3", "n": 5}).status, 200)
        self.assertEqual(figures(), (1, 1))
        self.assertEqual(server.ask("POST", "/v1/sessions/v/events", {"item": "3", "n": 0}).status, 200)
        self.assertEqual(server.ask("DELETE", "/v1/sessions/v").status, 204)
        self.assertEqual(server.ask("GET", "/v1/sessions/v/recommendations").status, 404)
        self.assertEqual(figures(), (1, 1))
        self.assertEqual(server.ask("GET", "/v1/items/3/similar?n=5").status, 200)
        self.assertEqual(figures(), (2, 2))

    def test_a_broken_file_is_told_and_the_old_model_stays(self):
        server = self.serve()
        before = server.ask("POST", "/v1/sessions/v/events", {"item": "3"}).json()
        damaged = bytearray((self.models / "b.safetensors").read_bytes())
        damaged[-5] ^= 1
        (self.folder / "model.safetensors").write_bytes(damaged)
        server.wait_for_message("what was served before is still served")
        ready = server.ask("GET", "/readyz")
        self.assertEqual((ready.status, ready.json()["last_reload"], ready.json()["model"]), (200, "failed", self.hashes["a"]))
        self.assertIn("the last reload failed", ready.json()["detail"])
        self.assertEqual(server.metric("gru4rec_last_reload_failed"), 1)
        self.assertGreaterEqual(server.metric('gru4rec_reloads_total{result="failed"}'), 1)
        after = server.ask("GET", "/v1/sessions/v/recommendations").json()
        self.assertEqual(after["items"], before["items"])
        (self.folder / "model.safetensors").unlink()
        failed = server.metric('gru4rec_reloads_total{result="failed"}')
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while server.metric('gru4rec_reloads_total{result="failed"}') <= failed:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.replace_model("a")  # the same model: sessions go on
        server.wait_for_message("nothing changes")
        self.assertEqual(server.metric("gru4rec_last_reload_failed"), 0)
        self.assertEqual(server.ask("GET", "/v1/sessions/v/recommendations").json()["items"], before["items"])
        self.replace_model("double")
        server.wait_for_message("a new model was loaded")
        self.refused(server.ask("GET", "/v1/sessions/v/recommendations"), 404, "unknown_session")
        self.assertEqual(server.ask("POST", "/v1/sessions/v/events", {"item": "3"}).json()["events"], 1)

    def test_a_stop_finishes_what_runs(self):
        server = self.serve()
        body = b'{"session":["3"],"n":2}'
        begun = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        begun.sendall(b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                      % len(body) + body[:5])
        idle = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b"200 OK", idle.recv(1000))
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(idle.recv(1000), b"")
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=10).close()
        begun.sendall(body[5:])
        answer = b""
        while part := begun.recv(65536):
            answer += part
        self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertEqual(len(json.loads(answer.split(b"\r\n\r\n")[1])["items"]), 2)
        self.assertEqual(server.process.wait(20), 0)
        begun.close()
        idle.close()
        interrupted = self.serve()
        interrupted.process.send_signal(signal.SIGINT)
        self.assertEqual(interrupted.process.wait(20), 130)

    def test_a_filter_and_a_search_do_not_wait_for_a_model_that_is_being_loaded(self):
        subprocess.run([PROGRAM, "synth", "large.tsv", "--sessions", "3000", "--items", "1500"], cwd=self.folder, check=True,
                       capture_output=True)
        for name, rate in (("model", "0.1"), ("new", "0.2")):
            subprocess.run([PROGRAM, "train", "large.tsv", "--params", f"layers=4,n_epochs=1,n_sample=8,learning_rate={rate}",
                            "--save", f"{name}.safetensors"], cwd=self.folder, check=True, capture_output=True)
        # More than a megabyte, so that it is searched in the background.
        names = "id\tname\n" + "".join(f"{i}\t{'x' * 2000} {i}\n" for i in range(1500))
        (self.folder / "names.tsv").write_text(names)
        server = self.serve("--catalogue", "names.tsv")
        before = server.ask("GET", "/readyz").json()["model"]
        (self.folder / "names.tsv").unlink()
        os.mkfifo(self.folder / "names.tsv")  # its reader waits for us
        os.replace(self.folder / "new.safetensors", self.folder / "model.safetensors")
        server.process.send_signal(signal.SIGHUP)
        writer = os.open(self.folder / "names.tsv", os.O_WRONLY)  # returns when the server reads it
        begin = time.monotonic()
        items = server.ask("GET", "/readyz").json()["items"]
        report = server.ask("PUT", "/v1/filter", {"exclude": ["1", "2"]}).json()
        self.assertEqual(report, {"items": items, "allowed": items - 2, "n_unknown": 0, "unknown": []})
        self.assertEqual(server.ask("GET", "/v1/items?search=17&n=1").json()["items"][0]["id"], "17")
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(server.ask("GET", "/readyz").json()["model"], before)
        with os.fdopen(writer, "w") as file:
            file.write(names)
        server.wait_for_message("a new model was loaded")
        end = time.monotonic() + 10
        while server.ask("GET", "/readyz").json()["model"] == before:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        self.assertEqual(server.ask("GET", "/v1/filter").json(), {"exclude": ["1", "2"]})
        listed = server.ask("POST", "/v1/recommend", {"session": [], "n": 1000}).json()["items"]
        self.assertFalse({"1", "2"} & {entry["id"] for entry in listed})
        self.assertEqual(server.metric("gru4rec_model_items_allowed"), items - 2)

    def test_every_connection_that_was_accepted_before_the_stop_is_answered(self):
        for delay in (0, 0.001, 0.003, 0.01):
            server = self.serve("--threads", "2")
            clients = []
            for _ in range(100):
                s = socket.create_connection(("127.0.0.1", server.port), timeout=10)
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                clients.append(s)
            time.sleep(delay)
            server.process.send_signal(signal.SIGTERM)
            answers = [s.recv(1000)[:13] for s in clients]
            self.assertEqual(set(answers), {b"HTTP/1.1 200 "})
            for s in clients:
                s.close()
            self.assertEqual(server.process.wait(20), 0)

    def test_a_stop_does_not_wait_for_a_client_whose_answer_was_on_its_way(self):
        server = self.serve("--max-batch", "5000")
        body = json.dumps({"requests": [{"session": [], "n": 60}] * 5000}).encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
            s.sendall(b"POST /v1/recommend/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d"
                      % len(body) + b"\r\n\r\n" + body)
            answer = s.recv(12)  # the rest, megabytes of it, does not fit into the buffers between the two
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            while part := s.recv(1 << 20):  # far less than --idle-time
                answer += part
        head, content = answer.split(b"\r\n\r\n", 1)
        self.assertNotIn(b"Connection: close", head, "it was written before the stop")
        self.assertEqual(len(json.loads(content)["results"]), 5000)
        self.assertEqual(server.process.wait(10), 0)

    def test_the_log_has_a_line_for_each_request_and_no_item_session_or_token(self):
        server = self.serve("--log", "requests.jsonl")
        server.ask("POST", "/v1/sessions/someone/events", {"item": "31"})
        server.ask("POST", "/v1/sessions/someone/events", {"item": "thirty-one", "unknown": "error"})
        server.ask("GET", "/v1/items/thirty-one/similar")
        server.ask("GET", "/nowhere/thirty-one")
        os.replace(self.folder / "requests.jsonl", self.folder / "older.jsonl")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_message("nothing changes")
        server.ask("GET", "/healthz")
        server.stop()
        text = (self.folder / "older.jsonl").read_text() + (self.folder / "requests.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        self.assertEqual([(line["method"], line["route"], line["status"], line.get("error")) for line in lines], [
            ("POST", "/v1/sessions/{id}/events", 200, None),
            ("POST", "/v1/sessions/{id}/events", 422, "unknown_item"),
            ("GET", "/v1/items/{id}/similar", 404, "unknown_item"),
            ("GET", "none", 404, "unknown_route"),
            ("GET", "/healthz", 200, None)])
        self.assertTrue((self.folder / "requests.jsonl").exists(), "opened again")
        for line in lines:
            self.assertRegex(line["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
            self.assertEqual(line["client"], "127.0.0.1")
            self.assertGreaterEqual(line["microseconds"], 0)
        for word in ("someone", "31", "thirty"):
            self.assertNotIn(word, re.sub(r'"(time|microseconds|sent|received)":("[^"]*"|\d+)', "", text))

    def test_the_log_can_go_to_standard_error(self):
        server = self.serve("--log", "-")
        self.assertEqual(server.ask("GET", "/healthz").status, 200)
        self.assertEqual(server.stop(), 0)
        lines = [json.loads(line) for line in server.messages if line.startswith('{"time":')]
        self.assertEqual([(line["route"], line["status"]) for line in lines], [("/healthz", 200)])

    def test_a_log_that_nobody_reads_holds_up_nobody_and_its_dropped_lines_are_counted(self):
        os.mkfifo(self.folder / "log")
        reader = os.open(self.folder / "log", os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        server = self.serve("--log", "log", "--threads", "1")
        n = 15_000
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as s:
            requests = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * n
            threading.Thread(target=s.sendall, args=(requests,)).start()
            answers = b""
            while answers.count(b'"ok"') < n:
                part = s.recv(1 << 20)
                self.assertTrue(part, "the connection ended")
                answers += part
        dropped = server.metric("gru4rec_log_lines_dropped_total")
        self.assertGreater(dropped, 1000)
        self.assertLess(dropped, n)
        text = b""
        server.process.send_signal(signal.SIGTERM)
        while server.process.poll() is None:
            with contextlib.suppress(BlockingIOError):
                text += os.read(reader, 1 << 20)
        while part := os.read(reader, 1 << 20):
            text += part
        lines = [json.loads(line) for line in text.splitlines()]
        health = [line for line in lines if line["route"] == "/healthz"]
        self.assertGreater(len(health), n - dropped - 50)
        self.assertLessEqual(len(health), n)

    def test_a_kept_filter_that_is_damaged_is_named_at_the_start(self):
        (self.folder / "filter.json").write_text('{"exclude": [')
        done = subprocess.run([PROGRAM, "serve", "model.safetensors", "--listen", "127.0.0.1:0", "--state", "."],
                              cwd=self.folder, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn("filter.json", done.stderr)
        self.assertIn("remove it", done.stderr)


def find_program():
    """Sets PROGRAM to the first argument or GRU4REC_PROGRAM; ends the test as skipped if that has no server."""
    global PROGRAM
    PROGRAM = program_under_test()
    done = subprocess.run([PROGRAM, "serve", "/nonexistent"], capture_output=True, text=True)
    if "without its server" in done.stderr:
        print("skipped: the program is built without its server")
        sys.exit(77)


if __name__ == "__main__":
    find_program()
    unittest.main(verbosity=2)
