#!/usr/bin/env python3
"""Makes the pictures of the page in docs/images from a made-up shop: docs/screenshots.py PROGRAM

Needs Chromium, its driver, Selenium and NumPy (Debian: chromium, chromium-driver, python3-selenium, python3-numpy).
"""
import pathlib
import subprocess
import sys
import tempfile
import threading
import zlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests" / "end_to_end"), str(ROOT / "tests" / "support")]
import made_up_shop
import page_test
import serve_test


def pixels_of(png):
    """(height, width, 3): the pixels of a PNG of 8 bits a channel."""
    data, at = b"", 8
    while at < len(png):
        length, kind = int.from_bytes(png[at:at + 4], "big"), png[at + 4:at + 8]
        if kind == b"IHDR":
            width, height, depth, colours = *(int.from_bytes(png[at + 8 + i:at + 12 + i], "big") for i in (0, 4)), *png[at + 16:at + 18]
        data += png[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    assert depth == 8 and colours in (2, 6), "a PNG of 8 bits a channel, without a palette"
    n = 3 if colours == 2 else 4
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * n)
    image, above = [], [0] * (width * n + n)  # a pixel of zeros comes first
    for kind, *line in rows.tolist():
        now = [0] * n
        for i, value in enumerate(line, n):
            a, b, c = now[i - n], above[i], above[i - n]
            if kind == 4:
                from_a, from_b, from_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
                guess = a if from_a <= from_b and from_a <= from_c else b if from_b <= from_c else c
            else:
                guess = (0, a, b, (a + b) // 2)[kind]
            now.append((value + guess) & 255)
        image.append(now[n:])
        above = now
    return np.array(image).reshape(height, width, n)[..., :3]


def with_palette(png):
    """The same picture in at most 256 colours: a third of the bytes."""
    pixels = pixels_of(png)
    coarse = np.minimum(pixels + 2, 255) // 4 * 4
    colours, places, counts = np.unique(coarse.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    palette = colours[np.argsort(-counts)[:256]]
    nearest = np.array([np.argmin(((palette - colour) ** 2).sum(axis=1)) for colour in colours], np.uint8)
    # A colour of the palette is the mean of what it stands for: flat areas keep theirs to the bit.
    chosen = nearest[places.reshape(-1)]
    sums = np.stack([np.bincount(chosen, pixels[..., i].reshape(-1), len(palette)) for i in range(3)], axis=1)
    palette = np.round(sums / np.maximum(np.bincount(chosen, minlength=len(palette)), 1)[:, None]).astype(np.uint8)
    height, width = pixels.shape[:2]
    lines = np.concatenate((np.zeros((height, 1), np.uint8), chosen.reshape(height, width)), axis=1)
    parts = ((b"IHDR", width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 3, 0, 0, 0])),
             (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return png[:8] + b"".join(len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
                              for kind, data in parts)


def load(server, stop):
    """Visitors, for the figures of the second tab: more and more of them, and now and then a mistake."""
    connection = server.new_connection()
    for number, clicks in enumerate(made_up_shop.sessions(10_000, seed=2)):
        for item in clicks:
            if stop.wait(0.012 / (1 + number / 300)):
                return
            server.ask("POST", f"/v1/sessions/visitor{number}/events", {"item": item}, connection=connection)
        if number % 40 == 39:
            server.ask("POST", "/v1/recommend", {"session": 1}, connection=connection)


class Pictures(page_test.PageTest):
    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.data.cleanup)
        cls.folder = pathlib.Path(cls.data.name)
        made_up_shop.write_sessions(cls.folder / "sessions.tsv")
        made_up_shop.write_catalogue(cls.folder / "names.tsv")
        subprocess.run([serve_test.PROGRAM, "train", "sessions.tsv", "--params",
                        "layers=64,n_epochs=8,n_sample=64,learning_rate=0.1", "--save", "shop.safetensors"],
                       cwd=cls.folder, check=True, capture_output=True)
        cls.shared = serve_test.Server(cls.folder, "shop.safetensors", "--catalogue", "names.tsv")
        cls.addClassCleanup(cls.shared.kill)
        cls.browser = page_test.open_browser()
        cls.addClassCleanup(cls.browser.quit)

    def take(self, name):
        (ROOT / "docs" / "images" / f"{name}.png").write_bytes(with_palette(self.browser.get_screenshot_as_png()))

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
    outcome = page_test.unittest.TextTestRunner().run(Pictures())
    sys.exit(not outcome.wasSuccessful())
