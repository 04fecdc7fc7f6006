"""gru4rec serve --catalogue: names in answers, the search, the files of the page as a client without a browser sees them.

The program is the first argument or GRU4REC_PROGRAM; without either, or without its server, the test is skipped (exit
status 77).
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.append(str(pathlib.Path(__file__).parents[2] / "examples" / "serve"))
import made_up_shop
import serve_test


class CatalogueTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.data.cleanup)
        cls.folder = pathlib.Path(cls.data.name)
        made_up_shop.make(serve_test.PROGRAM, cls.folder, "layers=16,n_epochs=1,n_sample=32", 1500, capture_output=True)
        cls.names = dict(made_up_shop.items())
        cls.shared = serve_test.Server(cls.folder, "shop.safetensors", "--catalogue", "names.tsv")
        cls.addClassCleanup(cls.shared.kill)

    def serve(self, *options):
        server = serve_test.Server(self.folder, "shop.safetensors", *options)
        self.addCleanup(server.kill)
        return server

    def search(self, query, server=None):
        return (server or self.shared).ask("GET", f"/v1/items{query}").json()

    def test_answers_name_their_items(self):
        for method, path, body in (("POST", "/v1/sessions/a/events", {"item": "1001"}),
                                   ("GET", "/v1/sessions/a/recommendations", None),
                                   ("POST", "/v1/recommend", {"session": []}),
                                   ("GET", "/v1/items/1001/similar", None)):
            items = self.shared.ask(method, path, body).json()["items"]
            self.assertEqual(len(items), 20)
            for item in items:
                self.assertEqual(list(item), ["id", "name", "score"])
                self.assertEqual(item["name"], self.names[item["id"]])
        batch = self.shared.ask("POST", "/v1/recommend/batch", {"requests": [{"session": []}]}).json()
        self.assertEqual(list(batch["results"][0]["items"][0]), ["id", "name", "score"])
        plain = self.serve().ask("POST", "/v1/recommend", {"session": []}).json()["items"]
        self.assertEqual([list(item) for item in plain], [["id", "score"]] * 20)

    def test_items_are_found_by_name_or_id(self):
        found = self.search("?search=KETTLE%20b&n=3")
        self.assertEqual({item["id"]: item["name"] for item in found["items"]},
                         {"1003": "Brass kettle", "1004": "Blue enamel kettle"})
        self.assertEqual((found["total"], found["model"]), (2, self.shared.ask("GET", "/readyz").json()["model"]))
        self.assertGreaterEqual(found["microseconds"], 0)
        found = self.search("?search=102&n=11")
        ids = [item["id"] for item in found["items"]]
        self.assertEqual((sorted(ids[:10]), ids[10:]), ([str(1020 + i) for i in range(10)], ["1102"]))
        self.assertEqual(found["total"], 11)
        self.assertEqual(self.search("?search=%20")["total"], 400)
        self.assertEqual(len(self.search("")["items"]), 20)
        teapot = self.search("?search=%F0%9F%AB%96")
        self.assertEqual((teapot["items"], teapot["total"]), ([], 0))
        self.assertEqual((self.search("?n=0")["items"], self.search("?n=0")["total"]), ([], 400))
        self.assertIn('gru4rec_requests_total{route="/v1/items",method="GET",status="200"}',
                      self.shared.ask("GET", "/metrics").body.decode())

    def test_searches_that_are_refused_say_why(self):
        for query, code, fragment in (("?n=1001", "out_of_range", "from 0 to 1000"), ("?n=x", "out_of_range", '"x"'),
                                      ("?n=-1", "out_of_range", "-1"), ("?q=mug", "unknown_parameter", '"q"'),
                                      ("?search=a&search=b", "unknown_parameter", "once each"),
                                      ("?search=" + "x" * 257, "too_long", "257 bytes")):
            reply = self.shared.ask("GET", "/v1/items" + query)
            self.assertEqual((reply.status, reply.json()["error"]["code"]), (422, code), query)
            self.assertIn(fragment, reply.json()["error"]["message"])
        self.assertEqual(self.shared.ask("GET", "/v1/items?search=%ff").status, 400)
        self.assertEqual(self.shared.ask("POST", "/v1/items", {}).headers["Allow"], "GET, HEAD")

    def test_a_large_catalogue_is_searched_beside_the_requests(self):
        # More than a mebibyte, so that the search is handed to another thread.
        with open(self.folder / "long.tsv", "w", encoding="utf-8") as file:
            file.write("id\tname\n" + "".join(f"{item}\t{name} {'filler ' * 570}\n" for item, name in made_up_shop.items()))
        server = self.serve("--catalogue", "long.tsv")
        found = self.search("?search=garden%20gloves%20oak", server)
        self.assertEqual([item["id"] for item in found["items"]], ["1193"])
        self.assertTrue(found["items"][0]["name"].startswith("Oak garden gloves filler"))

    def test_a_bad_catalogue_is_refused_at_the_start_with_its_line(self):
        for text, fragment in (("id\tname\n1001\tcup\n1002\n", "bad.tsv:3: the row has 1 field"),
                               ("1001\tcup\n", "bad.tsv:1: the header line lacks the column id")):
            (self.folder / "bad.tsv").write_text(text, encoding="utf-8")
            self.refuses(2, fragment, "--catalogue", "bad.tsv")
        self.refuses(3, "none.tsv", "--catalogue", "none.tsv")
        self.refuses(2, "--pictures", "--pictures", "https://a.example")
        self.refuses(2, "'https://a.example/x' is not an origin", "--catalogue", "names.tsv", "--pictures", "https://a.example/x")

    def refuses(self, status, fragment, *options):
        done = subprocess.run([serve_test.PROGRAM, "serve", "shop.safetensors", "--listen", "127.0.0.1:0", *options],
                              cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(fragment, done.stderr)
        self.assertRegex(done.stderr, r"\A(gru4rec: [^\n]+\n)+\Z")

    def test_the_catalogue_is_read_again_with_the_model_and_a_broken_one_changes_nothing(self):
        made_up_shop.write_catalogue(self.folder / "changing.tsv")
        server = self.serve("--catalogue", "changing.tsv")
        server.wait_for_message("changing.tsv names 400 of 400 items")
        name = lambda: self.search("?search=1001", server)["items"][0].get("name")
        self.assertEqual(name(), "Oak kettle")
        (self.folder / "changing.tsv").write_text("id,name\n1001,Samovar\n5,other\n", encoding="utf-8")
        server.process.send_signal(serve_test.signal.SIGHUP)
        server.wait_for_message("changing.tsv names 1 of 400 items; rows of items that the model lacks: 1")
        server.wait_for_message("its catalogue was read anew")
        self.assertEqual(name(), "Samovar")
        self.assertNotIn("name", self.search("?search=1002", server)["items"][0])
        (self.folder / "changing.tsv").write_text("id,name\n1001\n", encoding="utf-8")
        server.process.send_signal(serve_test.signal.SIGHUP)
        server.wait_for_message("the reload failed, and what was served before is still served; it will be tried again: ")
        server.wait_for_message("changing.tsv:2: the row has 1 field")
        self.assertEqual(name(), "Samovar")
        self.assertEqual(server.ask("GET", "/readyz").json()["last_reload"], "failed")

    def test_the_page_has_a_strict_policy_and_no_inline_script_or_style(self):
        server = self.serve("--catalogue", "names.tsv", "--pictures", "https://img.example", "--pictures",
                            "http://127.0.0.1:9000")
        reply = server.ask("GET", "/")
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
        self.assertEqual(policy, {
            "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
            "img-src": "'self' https://img.example http://127.0.0.1:9000", "base-uri": "'none'", "form-action": "'none'",
            "frame-ancestors": "'none'"})
        self.assertEqual((reply.headers["X-Content-Type-Options"], reply.headers["Referrer-Policy"]),
                         ("nosniff", "no-referrer"))
        page = reply.body.decode()
        self.assertNotRegex(page, r"<style|style=|<script(?![^>]* src=)|\son\w+=|https?://")
        files = serve_test.re.findall(r'(?:src|href)="(page/[^"]+)"', page)
        for file in files:
            files += [f"page/{name}" for name in
                      serve_test.re.findall(r'from "\./([^"]+)"', server.ask("GET", f"/{file}").body.decode())
                      if f"page/{name}" not in files]
        self.assertGreaterEqual(len(files), 8)
        for file in files:
            part = server.ask("GET", f"/{file}")
            self.assertEqual(part.status, 200, file)
            self.assertIn("default-src 'none'", part.headers["Content-Security-Policy"])
            self.assertNotRegex(part.body.decode(), r"innerHTML|insertAdjacentHTML|\beval\b|document\.write|https?://(?!www\.w3\.org)")

    def test_a_client_that_has_the_page_does_not_get_it_again(self):
        first = self.shared.ask("GET", "/page/page.css")
        self.assertEqual(first.headers["Cache-Control"], "no-cache")
        tag = first.headers["ETag"]
        for value, status in ((tag, 304), (f'"other", {tag}', 304), (f"W/{tag}", 304), ("*", 304), ('"other"', 200)):
            reply = self.shared.ask("GET", "/page/page.css", headers={"If-None-Match": value})
            self.assertEqual((reply.status, reply.body), (status, b"" if status == 304 else first.body), value)
            self.assertEqual(reply.headers["ETag"], tag)
        head = self.shared.ask("HEAD", "/page/page.css")
        self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", str(len(first.body))))
        self.assertEqual(self.shared.ask("GET", "/v1/items").headers["Cache-Control"], "no-store")
        self.assertIsNone(self.shared.ask("GET", "/v1/items").headers["ETag"])

    def test_nothing_but_the_page_is_a_file(self):
        for path in ("/page/none.js", "/page/openapi.json", "/page/..%2fopenapi.json", "/page/", "/page", "/index.html",
                     "/page.css"):
            self.assertEqual(self.shared.ask("GET", path).status, 404, path)
        self.assertEqual(self.shared.ask("POST", "/", {}).status, 405)
        self.assertEqual(self.shared.ask("GET", "/?from=mail").status, 200)

    def test_the_page_needs_no_token_and_everything_that_it_asks_for_does(self):
        (self.folder / "token").write_text(serve_test.TOKEN + "\n", encoding="utf-8")
        (self.folder / "token").chmod(0o600)
        server = self.serve("--token-file", "token")
        for path, status in (("/", 200), ("/page/page.js", 200), ("/v1/items?search=1", 401), ("/metrics", 401)):
            self.assertEqual(server.ask("GET", path).status, status, path)


if __name__ == "__main__":
    serve_test.find_program()
    unittest.main(verbosity=2)
