"""gru4rec replay: a test file is played against a running server, and the answers measure what evaluate measures.

The program is the first argument or GRU4REC_PROGRAM; without either the test is skipped (exit status 77), as it is if the
program was built without its server.
"""
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import serve_test
import weights_test

TOKEN = serve_test.TOKEN


def run(folder, *arguments, status=0, timeout=60):
    done = subprocess.run([serve_test.PROGRAM, *map(str, arguments)], cwd=folder, capture_output=True, text=True,
                          timeout=timeout)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: status {done.returncode}, expected {status}\n{done.stdout}{done.stderr}")
    return done


class ReplayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.data.name)
        run(cls.folder, "synth", "train.tsv", "--test", "test.tsv", "--sessions", "1500", "--items", "300")
        # A few items that the model does not know, so that sessions of the test have gaps.
        lines = (cls.folder / "test.tsv").read_text().splitlines()
        for row in range(5, len(lines), 9):
            session, item, when = lines[row].split("\t")
            lines[row] = f"{session}\tnew-{item}\t{when}"
        (cls.folder / "test.tsv").write_text("\n".join(lines) + "\n")
        for name, more in (("float", []), ("double", ["--precision", "double"]), ("other", ["--seed", "7"])):
            run(cls.folder, "train", "train.tsv", "--params", "layers=16,n_epochs=2,n_sample=32,learning_rate=0.2",
                "--save", f"{name}.safetensors", *more)
        (cls.folder / "token").write_text(TOKEN + "\n")
        os.chmod(cls.folder / "token", 0o600)

    @classmethod
    def tearDownClass(cls):
        cls.data.cleanup()

    def serve(self, *options, model="float.safetensors"):
        server = serve_test.Server(self.folder, model, *options)
        self.addCleanup(server.kill)
        return server

    def replay(self, url, *options, model="float.safetensors", test="test.tsv", status=0, timeout=60):
        """The program's output and its report."""
        url = f"http://127.0.0.1:{url.port}" if isinstance(url, serve_test.Server) else url
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        done = run(self.folder, "replay", model, test, "--url", url, "--report", report, *options, status=status,
                   timeout=timeout)
        return done, json.loads(report.read_text()) if report.exists() else None

    def refused(self, url, fragment, *options, status=3):
        """A failure before anything was played, on one line."""
        begin = time.monotonic()
        done, report = self.replay(url, *options, status=status)
        self.assertLess(time.monotonic() - begin, 10)
        self.assertIsNone(report)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Agru4rec: [^\n]+\n\Z")
        self.assertIn(fragment, done.stderr)

    @staticmethod
    def measures(done):
        """The lines of a table of measures, which replay and evaluate print alike."""
        return [line for line in done.stdout.splitlines() if line.startswith("  ") and "conservative" in line]

    # What is measured

    def test_measures_are_those_of_evaluate_to_the_digit_in_both_modes(self):
        for model, serving, n in (("float", (), 20), ("float", ("--exact",), 5), ("double", (), 20), ("float", (), 1),
                                  ("float", (), 400)):
            expected = run(self.folder, "evaluate", f"{model}.safetensors", "test.tsv", "--measure", n)
            server = self.serve(*serving, model=f"{model}.safetensors")
            for mode in ((), ("--stateless",), ("--rate", "5000", "--connections", "3")):
                with self.subTest(model=model, n=n, mode=mode):
                    done, report = self.replay(server, "--n", n, *mode, model=f"{model}.safetensors")
                    self.assertEqual(self.measures(done), self.measures(expected))
                    counts = re.search(r": (\d+) predictions, (\d+) events of unknown items", expected.stdout)
                    self.assertEqual((report["predictions"], report["skipped_unknown"]), tuple(map(int, counts.groups())))
                    self.assertEqual((report["requests"], report["failed"], report["errors"]),
                                     (report["predictions"], 0, []))
                    self.assertEqual(report["models"], {report["model"]: report["predictions"]})
                    self.assertEqual((report["lost_sessions"], report["unknown_to_server"]), (0, 0))
                    self.assertIn(f"{report['predictions']} answers, 0 errors", done.stdout)
            self.assertEqual(server.metric("gru4rec_sessions"), 0, "they are deleted")
            server.kill()

    def test_equal_scores_are_counted_as_evaluate_counts_them(self):
        # Seven items each share a row of the output table: their scores are equal, and lists end within them.
        metadata, tensors = weights_test.load(self.folder / "float.safetensors")
        for name in ("Wy.weight", "By.weight"):
            dtype, (rows, columns), values = tensors[name]
            size = 4 * columns
            shared = [values[row // 7 * 7 * size:][:size] for row in range(rows)]
            tensors[name] = dtype, [rows, columns], b"".join(shared)
        weights_test.save(self.folder / "grouped.st", {"items": metadata["items"]}, tensors)
        run(self.folder, "import", "grouped.st", "--save", "grouped.safetensors")
        server = self.serve(model="grouped.safetensors")
        for n in (20, 14, 13, 3):
            expected = run(self.folder, "evaluate", "grouped.safetensors", "test.tsv", "--measure", n, "--ties",
                           "conservative,standard")
            rows = [line.split() for line in expected.stdout.splitlines() if re.match(r"  (conservative|standard)", line)]
            self.assertNotEqual(rows[0][2:], rows[1][2:], "there are ties")
            done, _ = self.replay(server, "--n", n, model="grouped.safetensors")
            self.assertEqual(self.measures(done), self.measures(expected))

    def test_events_are_sent_as_they_happened(self):
        rows = ["SessionId\tItemId\tTime"]
        rows += [f"{s}\t{item}\t{when}" for s, item, when in (("a", 3, 10), ("b", 4, 15), ("a", 5, 20), ("b", 6, 12),
                                                              ("c", 7, 1), ("a", 8, 30), ("b", 9, 40), ("c", "new", 2))]
        (self.folder / "few.tsv").write_text("\n".join(rows) + "\n")
        seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, body=b""):
                self.send_response(200 if body else 204)
                if body:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(b'{"status":"ready","model":"x","exclude":["9"]}')

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                seen.append((self.path, body, self.headers["Authorization"]))
                self.answer(json.dumps({"items": [{"id": "8", "score": 2.5}, {"id": "6", "score": 1}],
                                        "events": sum(path == self.path for path, _, _ in seen), "unknown": [],
                                        "model": "x"}).encode())

            def do_DELETE(self):
                seen.append((self.path, None, None))
                self.answer()

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as stranger:
            threading.Thread(target=stranger.serve_forever, daemon=True).start()
            done, report = self.replay(f"http://127.0.0.1:{stranger.server_port}/shop/", "--connections", "1", "--n", "2",
                                       "--token-file", "token", test="few.tsv")
            stranger.shutdown()
        probe, *fed = seen
        self.assertEqual(probe[:2], ("/shop/v1/recommend", {"session": [], "n": 3}))
        self.assertEqual([body for _, body, _ in fed], [{"item": item, "n": 3} for item in "3645"] + [None, None])
        self.assertEqual({token for _, body, token in seen if body}, {"Bearer " + TOKEN})
        paths = [path for path, _, _ in fed]
        a, b = paths[0], paths[1]
        self.assertRegex(a, r"\A/shop/v1/sessions/replay-[0-9a-f]{16}-0-0/events\Z")
        self.assertEqual(paths[2:4], [b, a])
        self.assertEqual(sorted(paths[4:]), sorted(path[:-len("/events")] for path in (a, b)))
        # 3 -> 5 and 6 -> 4 are not listed, 4 -> 9 is not, 5 -> 8 is the first.
        self.assertEqual((report["predictions"], report["recall"], report["mrr"]), (4, {"2": 0.25}, {"2": 0.25}))
        self.assertEqual(report["skipped_unknown"], 1)
        self.assertIn("filter leaves items out", done.stderr)
        self.assertIn("another model", done.stderr)

    def test_a_rate_is_kept_and_latencies_are_from_when_requests_were_due(self):
        server = self.serve()
        begin = time.monotonic()
        _, report = self.replay(server, "--rate", "200", "--seconds", "1")
        self.assertGreater(time.monotonic() - begin, 0.9)
        self.assertLess(abs(report["predictions"] - 200), 25)
        self.assertLess(abs(report["requests_per_second"] - 200), 25)
        # The server stops for a while: what was due in the meantime waited.
        stopped = threading.Thread(target=lambda: (time.sleep(0.4), server.process.send_signal(signal.SIGSTOP),
                                                   time.sleep(0.5), server.process.send_signal(signal.SIGCONT)))
        stopped.start()
        _, report = self.replay(server, "--rate", "200", "--seconds", "2", "--connections", "2")
        stopped.join()
        self.assertGreater(report["milliseconds_from_due"]["p90"], 30)
        self.assertGreater(report["milliseconds_from_due"]["max"], 300)
        self.assertLess(report["milliseconds_from_sent"]["p90"], 30)
        for times in (report["milliseconds_from_due"], report["milliseconds_from_sent"]):
            self.assertEqual(list(times), ["p50", "p90", "p99", "max", "mean"])
            self.assertLessEqual(times["p50"], times["p90"])
            self.assertLessEqual(times["p99"], times["max"])
        self.assertEqual(report["failed"], 0)

    def test_a_file_is_played_again_until_the_time_is_up(self):
        server = self.serve()
        self.write_few()
        _, report = self.replay(server, "--seconds", "1", test="few2.tsv")
        self.assertGreater(report["predictions"], 3 * report["requests"])
        self.assertEqual((report["failed"], report["lost_sessions"], report["sessions_left"]), (0, 0, 0))
        self.assertGreater(report["sessions_deleted"], 6)
        self.assertEqual(server.metric("gru4rec_sessions"), 0)

    def write_few(self):
        rows = [f"{s}\t{item}\t{when}" for s, item, when in (("a", 3, 10), ("b", 4, 15), ("a", 5, 20), ("b", 6, 21))]
        (self.folder / "few2.tsv").write_text("SessionId\tItemId\tTime\n" + "\n".join(rows) + "\n")

    # What goes wrong

    def test_what_is_not_a_server_is_named(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            nobody = s.getsockname()[1]
        self.refused(f"http://127.0.0.1:{nobody}", "cannot connect")
        self.refused("http://no-such-host.invalid", "no address")
        self.refused("https://127.0.0.1", "TLS", status=2)
        plain = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        plain.RequestHandlerClass.log_message = lambda *_: None
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        self.refused(f"http://127.0.0.1:{plain.server_port}", "is not a server of gru4rec")
        plain.shutdown()
        plain.server_close()
        with socket.create_server(("127.0.0.1", 0)) as s:
            def greet(text):
                def talk():
                    connection, _ = s.accept()
                    connection.recv(1000)
                    connection.sendall(text)
                    connection.recv(1000)
                    connection.close()
                threading.Thread(target=talk, daemon=True).start()
            greet(b"220 mail.example ESMTP\r\n")
            self.refused(f"http://127.0.0.1:{s.getsockname()[1]}", "the answer is not HTTP")
            greet(b"")
            self.refused(f"http://127.0.0.1:{s.getsockname()[1]}", "--request-time", "--request-time", "1")

    def test_a_wrong_token_and_a_list_that_is_too_long_are_named(self):
        server = self.serve("--token-file", "token", "--max-n", "50")
        self.refused(server, "--token-file", status=2)
        (self.folder / "wrong").write_text("x" * 30)
        os.chmod(self.folder / "wrong", 0o600)
        self.refused(server, "--token-file", "--token-file", "wrong", status=2)
        self.refused(server, "--n", "--token-file", "token", "--n", "50", status=2)
        _, report = self.replay(server, "--token-file", "token", "--n", "49")
        self.assertEqual(report["failed"], 0)
        done = run(self.folder, "replay", "float.safetensors", "test.tsv", "--report", "test.tsv", status=2)
        self.assertIn("would overwrite", done.stderr)
        done = subprocess.run(["bash", "-c", 'ulimit -n 100; exec "$@"', "bash", serve_test.PROGRAM, "replay",
                               "float.safetensors", "test.tsv", "--connections", "90"], cwd=self.folder,
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"--connections: 90 .*ulimit -n")

    def test_a_report_with_the_name_of_a_page_is_refused(self):
        for name in ("replay.html", "replay.htm"):
            done = run(self.folder, "replay", "float.safetensors", "test.tsv", "--report", name, status=2)
            self.assertEqual(done.stderr, f"gru4rec: --report: '{name}' is the name of a page, but replay writes JSON; "
                                          "expected a name such as replay.json\n")
            self.assertFalse((self.folder / name).exists())

    def test_a_server_that_ends_midway_is_told_and_ends_the_replay(self):
        server = self.serve()
        threading.Timer(0.7, server.process.kill).start()
        begin = time.monotonic()
        done, report = self.replay(server, "--rate", "300", "--seconds", "60", status=1)
        self.assertLess(time.monotonic() - begin, 15)
        self.assertRegex(done.stderr, r"no longer answers")
        self.assertTrue(report["gave_up"])
        self.assertGreater(report["predictions"], 50)
        kinds = {error["kind"]: error for error in report["errors"]}
        self.assertIn("no connection", kinds)
        self.assertIn("refused", kinds["no connection"]["first"])
        self.assertEqual(report["failed"], sum(error["count"] for error in report["errors"]))
        self.assertGreater(report["sessions_left"], 0)

    def test_a_server_that_comes_back_has_lost_its_sessions_and_goes_on(self):
        server = self.serve()
        url = f"http://127.0.0.1:{server.port}"
        again = []

        def restart():
            server.process.kill()
            server.process.wait()
            time.sleep(0.3)  # so that requests are due while nobody is there
            again.append(subprocess.Popen([serve_test.PROGRAM, "serve", "float.safetensors", "--listen",
                                           f"127.0.0.1:{server.port}"], cwd=self.folder, stderr=subprocess.DEVNULL))
        self.addCleanup(lambda: [process.kill() or process.wait() for process in again])
        # A hundred visitors at the same time, so that sessions have begun when the server goes and go on when it is back.
        rows = (self.folder / "train.tsv").read_text().splitlines()
        items = [row.split("\t")[1] for row in rows[1:2001]]
        (self.folder / "crowd.tsv").write_text(rows[0] + "\n" + "".join(
            f"{i % 100}\t{item}\t{i}\n" for i, item in enumerate(items)))
        threading.Timer(0.5, restart).start()
        done, report = self.replay(url, "--rate", "300", "--seconds", "2", test="crowd.tsv", status=1)
        self.assertFalse(report["gave_up"])
        self.assertGreater(report["failed"], 0)
        self.assertGreater(report["lost_sessions"], 0)
        self.assertGreater(report["predictions"], 300)
        self.assertIn("failed requests: ", done.stderr)
        self.assertIn("lost events", done.stderr)

    def test_connections_that_the_server_closes_between_requests_cost_nothing(self):
        server = self.serve("--idle-time", "1")
        _, report = self.replay(server, "--rate", "2", "--seconds", "3", "--connections", "4")
        self.assertGreater(report["connections_closed_by_server"], 0)
        self.assertGreater(report["connections_opened"], 4)
        self.assertEqual((report["failed"], report["sent_again"]), (0, 0))

    def test_a_request_is_sent_again_only_where_that_is_safe(self):
        for mode, safe in ((("--stateless",), True), ((), False)):
            with socket.create_server(("127.0.0.1", 0)) as s:
                answer = b'{"status":"ready","model":"x","items":[],"events":1,"unknown":[]}'
                posts = []

                def talk(connection):
                    with connection:
                        stream = connection.makefile("rb")
                        while line := stream.readline():
                            length = 0
                            while (header := stream.readline().strip()):
                                if header.lower().startswith(b"content-length:"):
                                    length = int(header.split(b":")[1])
                            body = stream.read(length)
                            if line.startswith(b"POST") and b"[]" not in body:
                                posts.append(body)
                                if len(posts) == 2:
                                    return  # without a word
                            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)

                def accept():
                    while True:
                        try:
                            connection, _ = s.accept()
                        except OSError:
                            return
                        threading.Thread(target=talk, args=(connection,), daemon=True).start()
                threading.Thread(target=accept, daemon=True).start()
                self.write_few()
                _, report = self.replay(f"http://127.0.0.1:{s.getsockname()[1]}", "--connections", "1", *mode,
                                        test="few2.tsv", status=0 if safe else 1)
                s.shutdown(socket.SHUT_RDWR)
            self.assertEqual(report["sent_again"], 1 if safe else 0)
            self.assertEqual(report["failed"], 0 if safe else 1)
            self.assertEqual(len(posts), 3 if safe else 2)
            self.assertEqual([error["kind"] for error in report["errors"]], [] if safe else ["connection ended"])

    def test_a_signal_ends_it_in_good_order_and_leaves_no_session(self):
        server = self.serve()
        process = subprocess.Popen([serve_test.PROGRAM, "replay", "float.safetensors", "test.tsv", "--url",
                                    f"http://127.0.0.1:{server.port}", "--rate", "100", "--seconds", "60"],
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 20
        while server.metric("gru4rec_sessions") < 10:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, messages = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130, messages)
        self.assertRegex(out, r"\d+ answers, 0 errors")
        self.assertEqual(server.metric("gru4rec_sessions"), 0)

    def test_errors_of_the_server_are_counted_by_status_and_code(self):
        server = self.serve("--max-ids", "2")
        done, report = self.replay(server, "--stateless", status=1)
        self.assertEqual([error["kind"] for error in report["errors"]], ["status 422 too_many"])
        self.assertIn("--max-ids", report["errors"][0]["first"])
        self.assertEqual(report["failed"] + report["predictions"], report["requests"])
        self.assertIn(f"status 422 too_many: {report['failed']}, the first: ", done.stdout)


if __name__ == "__main__":
    serve_test.find_program()
    unittest.main(verbosity=2)
