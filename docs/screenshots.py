#!/usr/bin/env python3
"""Makes the pictures of the page in docs/images from a made-up shop: docs/screenshots.py PROGRAM

Needs Chromium, its driver, Selenium and Pillow (Debian: chromium, chromium-driver, python3-selenium, python3-pil).
"""
import io
import pathlib
import sys
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
    shop = ()  # well trained

    def take(self, name):
        save(self.browser.get_screenshot_as_png(), ROOT / "docs" / "images" / f"{name}.png")

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


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    serve_test.PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
    (ROOT / "docs" / "images").mkdir(exist_ok=True)
    outcome = page_test.unittest.TextTestRunner().run(page_test.unittest.TestSuite([Pictures()]))
    sys.exit(not outcome.wasSuccessful())
