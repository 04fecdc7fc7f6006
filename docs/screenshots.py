#!/usr/bin/env python3
"""Makes the pictures in docs/images, of the server's page and of reports, from made-up shops:

    docs/screenshots.py PROGRAM [Server | Reports]

Needs Chromium, its driver, Selenium and Pillow (Debian: chromium, chromium-driver, python3-selenium, python3-pil).
"""
import io
import pathlib
import subprocess
import sys
import tempfile
import threading

import PIL.Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests" / "end_to_end"), str(ROOT / "examples" / "serve")]
import made_up_shop
import page_test
import serve_test


def save(png, path):
    """In 256 colours: a third of the bytes."""
    PIL.Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=PIL.Image.Dither.NONE).save(path, optimize=True)


def load(server, stop):
    """Visitors, for the figures of the second tab: more and more of them, and now and then a mistake."""
    connection = server.new_connection()
    for number, clicks in enumerate(made_up_shop.sessions(50_000, seed=2)):
        for item in clicks:
            if stop.wait(0.012 / (1 + number / 300)):
                return
            server.ask("POST", f"/v1/sessions/visitor{number}/events", {"item": item}, connection=connection)
        if number % 40 == 39:
            server.ask("POST", "/v1/recommend", {"session": 1}, connection=connection)


class Pictures(page_test.PageTest):
    def take(self, name):
        save(self.browser.get_screenshot_as_png(), ROOT / "docs" / "images" / f"{name}.png")


class Server(Pictures):
    shop = ()  # well trained

    def begin_session(self):
        self.open()
        self.click(self.search("desk lamp", 8)[1], 1)
        for length, rank in ((2, 0), (3, 1)):
            self.click(self.buttons("next")[rank], length)
        self.script("document.activeElement.blur()")
        self.browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 1, "y": 1})

    def runTest(self):
        self.emulate(1280, 880)
        self.begin_session()
        self.take("page_light")
        self.emulate(1280, 880, scheme="dark")
        self.take("page_dark")
        self.emulate(360, 780)
        self.begin_session()
        self.script("document.querySelector('.session').scrollIntoView()")
        self.take("page_narrow")
        stop = threading.Event()
        thread = threading.Thread(target=load, args=(self.shared, stop))
        thread.start()
        try:
            self.emulate(1280, 880)
            self.element("#tab-live").click()
            self.until(lambda: self.script("return document.querySelector('#plots path').getAttribute('d').length > 800"), 130)
            self.take("page_live")
        finally:
            stop.set()
            thread.join()


class Reports(Pictures):
    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.data.cleanup)
        cls.folder = pathlib.Path(cls.data.name)
        cls.run_program("synth", "all.tsv", "--test", "test.tsv")
        cls.run_program("synth", "train.tsv", "--test", "valid.tsv", "--sessions", "18000")
        cls.browser = page_test.open_browser()
        cls.addClassCleanup(cls.browser.quit)

    @classmethod
    def run_program(cls, *arguments):
        subprocess.run([serve_test.PROGRAM, *arguments], cwd=cls.folder, check=True, stdout=subprocess.DEVNULL)

    def train(self, layers, *options):
        self.run_program("train", "train.tsv", "--params", f"layers={layers},n_sample=256,n_epochs=10,lr_decay=0.9",
                         "--valid", "valid.tsv", "--test", "test.tsv", "--measure", "1,5,20", "--report",
                         f"{layers}_units.json", *options)

    def show(self, page):
        self.browser.get((self.folder / page).as_uri())

    def runTest(self):
        self.train(96, "--baselines", "--report", "run.html")
        self.train(32, "--details")
        self.train(8, "--details")
        self.run_program("compare", *(f"{layers}_units.json" for layers in (96, 32, 8)), "--report", "runs.html")
        for page, name, scheme in (("run.html", "report", "light"), ("runs.html", "compare", "dark")):
            self.emulate(1280, 1500, scheme=scheme)
            self.show(page)
            self.take(f"{name}_{scheme}")
        self.emulate(360, 1500)
        self.show("run.html")
        self.take("report_narrow")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    chosen = [case for case in (Server, Reports) if case.__name__ in (sys.argv[2:] or [case.__name__])]
    serve_test.PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
    (ROOT / "docs" / "images").mkdir(exist_ok=True)
    outcome = page_test.unittest.TextTestRunner().run(page_test.unittest.TestSuite([case() for case in chosen]))
    sys.exit(not outcome.wasSuccessful())
