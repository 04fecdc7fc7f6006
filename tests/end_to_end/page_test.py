"""The server's page in a browser, used as a person would: with the mouse, with the keyboard alone, on a small screen.

The program is the first argument or GRU4REC_PROGRAM. Needs Chromium, its driver and Selenium (Debian: chromium,
chromium-driver, python3-selenium). Without one of these the test is skipped (exit status 77).
"""
import http.server
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import unittest
import zlib

sys.path.append(str(pathlib.Path(__file__).parents[2] / "examples" / "serve"))
import made_up_shop
import serve_test

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None

TOKEN = serve_test.TOKEN
HOSTILE = [
    ("1001", "<script>window.hacked = 1</script>"),
    ("1002", "<img src=x onerror='window.hacked = 2'> \u202eltr"),
    ("1003", "&lt;b&gt; \"quoted\" 'text' </span></button><h1>no</h1>"),
    ("1004", "Unbroken" * 60),
    ("1005", "צלחת כחולה"),
]
# Contrast of every text with what is behind it, and of the borders of controls (WCAG 2.1: 1.4.3, 1.4.11).
CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const parts = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return {rgb: [r, g, b], a}; };
const light = (rgb) => rgb.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const behind = (element) => { for (let e = element; e; e = e.parentElement) {
  const colour = parts(getComputedStyle(e).backgroundColor); if (colour.a === 255) return colour.rgb; } return [255, 255, 255]; };
const poor = []; let n = 0;
for (const element of document.body.querySelectorAll('*')) {
  const shown = element.checkVisibility() && element.getClientRects().length > 0;
  const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!shown || element.closest('.unseen, .skip, :disabled')) continue;
  const style = getComputedStyle(element);
  if (hasText) { ++n;
    const colour = element.closest('svg') ? style.fill : style.color;
    const found = ratio(parts(colour).rgb, behind(element));
    if (found < 4.5) poor.push([element.outerHTML.slice(0, 100), found]); }
  if (element.matches('input:not([type=checkbox])')) { ++n;
    const found = ratio(parts(style.borderTopColor).rgb, behind(element.parentElement));
    if (found < 3) poor.push([element.outerHTML.slice(0, 100), found]); }
}
return [n, poor];
"""


def find_browser():
    names = [("chromium", "chromium-browser", "google-chrome"), ("chromedriver", "chromium.chromedriver")]
    return [next(filter(None, map(shutil.which, programs)), None) for programs in names]


def open_browser():
    browser, driver = find_browser()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                     "--no-first-run", "--lang=en", "--window-size=1280,900"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # as root there is none
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service(driver), options=options)


class PageTest(unittest.TestCase):
    """One browser and one model for all; every test has a new page, and a server of its own if it needs another one."""
    shop = ("layers=32,n_epochs=3,n_sample=64", 1500)  # quickly trained

    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.data.cleanup)
        cls.folder = pathlib.Path(cls.data.name)
        made_up_shop.make(serve_test.PROGRAM, cls.folder, *cls.shop, capture_output=True)
        cls.shared = serve_test.Server(cls.folder, "shop.safetensors", "--catalogue", "names.tsv")
        cls.addClassCleanup(cls.shared.kill)
        cls.browser = open_browser()
        cls.addClassCleanup(cls.browser.quit)
        cls.names = dict(made_up_shop.items())

    def setUp(self):
        self.allowed_messages = ()
        self.emulate()
        self.browser.get_log("browser")

    def tearDown(self):
        """Whatever the policy keeps out, and every error of a script, is a line of the browser's log."""
        lines = [entry["message"] for entry in self.browser.get_log("browser")]
        self.assertEqual([line for line in lines if not any(part in line for part in self.allowed_messages)], [])

    # What a person does and sees

    def emulate(self, width=1280, height=900, scheme="light", motion="reduce"):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": motion}]})

    def serve(self, *options):
        server = serve_test.Server(self.folder, "shop.safetensors", *options)
        self.addCleanup(server.kill)
        return server

    def open(self, server=None, wait=True):
        self.server = server or self.shared
        self.browser.get(f"http://127.0.0.1:{self.server.port}/")
        if wait:
            self.until(lambda: self.rows("next") and self.buttons("results"))

    def until(self, holds, seconds=15):
        end = time.monotonic() + seconds
        while not (value := holds()):
            if time.monotonic() > end:
                raise AssertionError(f"it did not come to pass; the page reads: {self.script('return document.body.innerText')}")
            time.sleep(0.02)
        return value

    def script(self, text, *arguments):
        return self.browser.execute_script(text, *arguments)

    def element(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def buttons(self, list_id):
        return self.browser.find_elements(By.CSS_SELECTOR, f"#{list_id} button")

    def text(self, element_id):
        return self.script("return document.getElementById(arguments[0]).innerText", element_id)

    def rows(self, list_id):
        """Of a ranking: (id, name, mark, score) of each row as it reads."""
        return [tuple(row) for row in self.script("""
            const texts = (row, selector) => row.querySelector(selector)?.textContent ?? '';
            return [...document.querySelectorAll('#' + arguments[0] + ' > li')].map((row) => [row.dataset.id,
              texts(row, '.name'), texts(row, '.mark .unseen'), texts(row, '.score').replace(' score ', '')]);""", list_id)]

    def session(self):
        """Ids of the session as the page shows it; names where an item has none beside."""
        return self.script("""return [...document.querySelectorAll('#session > li')].map((row) =>
            (row.querySelector('.id') ?? row.querySelector('.name')).textContent);""")

    def search(self, text, n):
        """Types into the search box, and waits for what the server finds, n items."""
        found = self.server.ask("GET", f"/v1/items?search={serve_test.quoted(text)}&n=50").json()["items"]
        self.assertEqual(len(found), n)
        box = self.element("#search")
        box.clear()
        box.send_keys(text)
        names = [item.get("name", item["id"]) for item in found]
        self.until(lambda: self.script("return [...document.querySelectorAll('#results .name')].map(e => e.textContent)") == names)
        return self.buttons("results")

    def found(self, text):
        """What the server finds, as the buttons read."""
        reply = self.server.ask("GET", f"/v1/items?search={serve_test.quoted(text)}&n=50").json()
        return [f"{item['name']} {item['id']}" for item in reply["items"]]

    def click(self, button, length):
        """Clicks, and waits until the session has this length and both lists belong to it."""
        button.click()
        self.settle(length)

    def settle(self, length):
        self.until(lambda: len(self.session()) == length)
        self.until(lambda: self.ids("next") == self.api_ids(self.session())
                   and self.ids("before") == (self.api_ids(self.session()[:-1]) if length else []))

    def ids(self, list_id):
        return [row[0] for row in self.rows(list_id)]

    def api(self, session):
        body = {"session": session, "n": int(self.script("return document.getElementById('n').value"))}
        if self.script("return document.getElementById('exclude-seen').checked"):
            body["exclude"] = session
        return self.server.ask("POST", "/v1/recommend", body).json()["items"]

    def api_ids(self, session):
        return [item["id"] for item in self.api(session)]

    # The tab "Try"

    def test_a_person_searches_and_clicks_and_sees_the_lists_of_the_server(self):
        self.open()
        self.assertEqual(self.text("found"), "The first 50 of 400 items")
        self.assertEqual(self.session(), [])
        self.assertIn("most frequent items", self.text("next-note"))
        self.assertIn("400 items", self.text("model"))
        found = self.search("desk lamp", 8)
        self.assertEqual(self.text("found"), "8 items")
        self.assertEqual([button.text for button in found], self.found("desk lamp"))
        next(button for button in found if button.text == "Walnut desk lamp 1082").click()
        self.settle(1)
        self.assertEqual(self.session(), ["1082"])
        self.assertIn("Walnut desk lamp was added. 1 in the session. First comes ", self.text("announcement"))
        self.click(self.buttons("next")[2], 2)
        for list_id, session in (("next", self.session()), ("before", self.session()[:-1])):
            expected = self.api(session)
            shown = self.rows(list_id)
            self.assertEqual([(row[0], row[1], row[3]) for row in shown],
                             [(item["id"], self.names[item["id"]], f"{item['score']:.2f}") for item in expected])
            self.assertRegex(self.text(f"{list_id}-time"), r"\Aserver \d+ µs · round trip [\d.]+ (µs|ms)\Z")
        self.assert_marks()
        widths = self.script("return [...document.querySelectorAll('#next .bar > span')].map((bar) => parseFloat(bar.style.width))")
        self.assertEqual(widths[0], 100)
        self.assertEqual(widths, sorted(widths, reverse=True))

    def assert_marks(self):
        before, now = self.ids("before"), self.ids("next")
        kinds = set()
        for rank, (item, _, words, _) in enumerate(self.rows("next")):
            by = before.index(item) - rank if item in before else None
            places = f"{abs(by or 0)} place{'s' if abs(by or 0) != 1 else ''}"
            expected = ("new in the list" if by is None else "same place" if by == 0
                        else f"up {places}" if by > 0 else f"down {places}")
            self.assertEqual(words, expected, item)
            kinds.add(expected.split()[0])
        self.assertGreaterEqual(len(kinds), 2, kinds)
        for item, _, words, _ in self.rows("before"):
            self.assertEqual(words, "" if item in now else "not in the other list", item)

    def test_the_last_click_is_taken_back_and_the_session_begun_again(self):
        self.open()
        for n, kettle in enumerate(self.search("kettle", 8)[:3], 1):
            self.click(kettle, n)
        clicked = [text.split()[-1] for text in self.found("kettle")[:3]]
        self.assertEqual(self.session(), clicked)
        without = self.ids("before")
        self.click(self.element("#remove-last"), 2)
        self.assertEqual((self.session(), self.ids("next")), (clicked[:2], without))
        self.click(self.element("#start-again"), 0)
        self.assertFalse(self.element("#remove-last").is_enabled())
        self.assertEqual(self.script("return document.activeElement.id"), "search")
        self.assertEqual(self.rows("before"), [])
        self.assertIn("After the first click", self.text("before-note"))

    def test_rows_of_both_lists_are_in_step_in_every_width(self):
        for width in (1160, 1270, 1290, 1600):
            self.emulate(width=width)
            self.open()
            self.click(self.search("quilt", 8)[0], 1)
            tops = self.script("""return ['next', 'before'].map(id => [...document.querySelectorAll(`#${id} > li`)].slice(0, 5)
                .map(row => Math.round(row.getBoundingClientRect().top)));""")
            self.assertEqual(tops[0], tops[1], width)

    def test_what_was_seen_is_left_out_and_the_length_is_chosen(self):
        self.open()
        # The same thing again and again is what the model then expects.
        item = self.search("1017", 1)[0]
        for n in (1, 2):
            self.click(item, n)
        self.element("#n").clear()
        self.element("#n").send_keys("400")
        self.until(lambda: len(self.rows("next")) == 400)
        self.assertIn("1017", self.ids("next"))
        self.click(self.element("#exclude-seen"), 2)
        self.assertEqual(len(self.rows("next")), 399)
        self.assertNotIn("1017", self.ids("next"))
        self.assertIn("Only 399 items may be recommended.", self.text("next-note"))
        self.element("#n").send_keys(Keys.BACKSPACE, Keys.BACKSPACE)
        self.until(lambda: len(self.rows("next")) == 4)
        self.settle(2)
        self.element("#n").send_keys("0000")  # too many: nothing is asked
        time.sleep(0.4)
        self.assertEqual(len(self.rows("next")), 4)
        self.assertTrue(self.script("return document.getElementById('n').matches(':invalid')"))

    def test_everything_is_done_with_the_keyboard_alone(self):
        self.open()
        focus = lambda: self.script("return document.activeElement.id || document.activeElement.textContent")
        keys = lambda *all_keys: webdriver.ActionChains(self.browser).send_keys(*all_keys).perform()
        keys(Keys.TAB)
        self.assertEqual(focus(), "Skip to what comes next")
        keys(Keys.ENTER)
        self.assertEqual(focus(), "next-title")
        self.script("document.activeElement.blur(); document.body.tabIndex = -1; document.body.focus();")
        order = []
        for _ in range(8):
            keys(Keys.TAB)
            order.append(focus())
        self.assertEqual(order[1:5], ["tab-try", "theme", "search", self.buttons("results")[0].get_attribute("textContent")])
        self.assertEqual(order[5:7], ["n", "exclude-seen"])  # the buttons of the empty session are off
        self.assertEqual(order[7], self.buttons("next")[0].get_attribute("textContent"))
        self.element("#search").send_keys("TEAPOT")
        self.until(lambda: len(self.buttons("results")) == 8)
        teapots = self.found("teapot")
        keys(Keys.ARROW_DOWN)
        self.assertEqual(focus(), teapots[0])
        keys(Keys.ARROW_UP)
        self.assertEqual(focus(), "search")
        keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
        self.assertEqual(focus(), teapots[1])
        keys(Keys.END)
        self.assertEqual(focus(), teapots[7])
        keys(Keys.HOME, Keys.ENTER)
        self.settle(1)
        first = teapots[0].split()[-1]
        self.assertEqual(self.session(), [first])
        keys(Keys.SPACE)
        self.settle(2)
        keys(Keys.TAB)
        self.assertEqual(focus(), "remove-last")
        keys(Keys.ENTER)
        self.settle(1)
        keys(Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB)
        self.assertEqual(self.script("return document.activeElement.closest('#next') !== null"), True)
        keys(Keys.ARROW_DOWN)
        second = self.ids("next")[1]
        keys(Keys.ENTER)
        self.settle(2)
        self.assertEqual(self.session(), [first, second])
        self.assertEqual(self.script("return [...document.querySelectorAll('#next button')].indexOf(document.activeElement)"), 1)
        self.element("#tab-try").send_keys(Keys.ARROW_RIGHT)
        self.assertEqual((focus(), self.element("#panel-live").is_displayed()), ("tab-live", True))
        keys(Keys.ARROW_RIGHT)
        self.assertEqual((focus(), self.element("#panel-try").is_displayed()), ("tab-try", True))

    def test_rows_glide_unless_the_visitor_wants_less_motion(self):
        for motion, moves in (("no-preference", True), ("reduce", False)):
            self.emulate(motion=motion)
            self.open()
            # Counted as it is begun: a fifth of a second later it is over.
            self.script("window.n = 0; const {animate} = Element.prototype; "
                        "Element.prototype.animate = function (...all) { ++window.n; return animate.apply(this, all); };")
            self.click(self.search("quilt", 8)[0], 1)
            self.assertEqual(self.script("return window.n > 0"), moves)

    # Names, pictures, errors

    def test_hostile_names_are_texts(self):
        made_up_shop.write_catalogue(self.folder / "hostile.tsv")
        rows = (self.folder / "hostile.tsv").read_text(encoding="utf-8").splitlines()
        replaced = {item: name for item, name in HOSTILE}
        (self.folder / "hostile.tsv").write_text("\n".join(
            f"{row.split(chr(9))[0]}\t\"{replaced[row.split(chr(9))[0]].replace(chr(34), chr(34) * 2)}\"\t"
            if row.split("\t")[0] in replaced else row for row in rows), encoding="utf-8")
        self.emulate(width=320)
        self.open(self.serve("--catalogue", "hostile.tsv"))
        for n, (item, name) in enumerate(HOSTILE, 1):
            button = self.search(item, 1)[0]
            self.assertEqual(button.find_element(By.CSS_SELECTOR, ".name").get_attribute("textContent"), name)
            self.click(button, n)
        self.search("<script>", 1)
        self.assertEqual(self.script("return window.hacked ?? 'no'"), "no")
        self.assertEqual(self.script("return document.querySelectorAll('main script, main img, main h1').length"), 0)
        self.assert_no_sideways_scrolling()

    def test_pictures_come_from_allowed_origins_alone(self):
        png = (b"\x89PNG\r\n\x1a\n" + b"".join(
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
            for kind, data in ((b"IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0])),
                               (b"IDAT", zlib.compress(b"\0\x80")), (b"IEND", b""))))
        asked = []

        class Pictures(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, self.headers["Referer"]))
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.end_headers()
                self.wfile.write(png)

            def log_message(self, *_):
                pass

        pictures = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
        threading.Thread(target=pictures.serve_forever, daemon=True).start()
        self.addCleanup(pictures.server_close)
        self.addCleanup(pictures.shutdown)
        port = pictures.server_address[1]
        (self.folder / "pictures.tsv").write_text(
            f"id\tname\tpicture\n1001\tAllowed\thttp://127.0.0.1:{port}/a.png\n1002\tElsewhere\thttp://localhost:{port}/b.png\n"
            "1003\tOn the page\t/page/icon.svg\n", encoding="utf-8")
        self.open(self.serve("--catalogue", "pictures.tsv", "--pictures", f"http://127.0.0.1:{port}"))
        self.search("allowed", 1)
        self.until(lambda: self.script("return document.querySelector('#results img')?.naturalWidth") == 1)
        self.assertEqual(self.script("return document.querySelector('#results img').alt"), "")
        for name in ("elsewhere", "on the page"):
            self.search(name, 1)
            self.assertEqual(self.script("return document.querySelectorAll('#results img').length"), 0, name)
        # Even markup that found its way into the page could load nothing from elsewhere, run nothing and send nothing.
        self.allowed_messages = ("Content Security Policy", "violates the following")
        self.script("document.body.insertAdjacentHTML('beforeend', arguments[0])",
                    f"<img src=http://localhost:{port}/c.png onerror='window.hacked = 1'><style>body {{ opacity: 0 }}</style>"
                    f"<form action=http://localhost:{port}/d id=bad></form>")
        self.script("document.getElementById('bad').submit()")
        time.sleep(0.3)
        self.assertEqual(set(asked), {("/a.png", None)})
        self.assertEqual(self.script("return [window.hacked ?? 'no', getComputedStyle(document.body).opacity]"), ["no", "1"])

    def test_without_a_catalogue_items_go_by_their_ids(self):
        self.open(self.serve())
        self.click(self.search("1017", 1)[0], 1)
        self.assertEqual(self.session(), ["1017"])
        self.assertEqual([row[:2] for row in self.rows("next")], [(item, item) for item in self.api_ids(["1017"])])

    def test_a_server_that_is_gone_is_said_in_words_and_asked_again(self):
        server = self.serve("--catalogue", "names.tsv")
        self.open(server)
        self.click(self.search("stapler", 8)[0], 1)
        self.allowed_messages = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
        server.kill()
        self.buttons("next")[0].click()
        self.until(lambda: "cannot be reached" in self.element("#problem").text)
        self.assertEqual(len(self.session()), 2)
        again = serve_test.Server(self.folder, "shop.safetensors", "--catalogue", "names.tsv", listen=f"127.0.0.1:{server.port}")
        self.addCleanup(again.kill)
        self.server = again
        self.element("#problem button").click()
        self.settle(2)
        self.assertFalse(self.element("#problem").is_displayed())
        # An answer that is not the server's: its own words, and the status.
        self.allowed_messages += ("status of 422",)
        self.script("document.getElementById('n').max = ''; document.getElementById('n').value = '5000';"
                    "document.getElementById('n').dispatchEvent(new Event('input'))")
        self.until(lambda: "n = 5000, expected a whole number from 0 to 1000" in self.element("#problem").text)

    def test_the_token_is_asked_for_and_kept_in_the_tab_alone(self):
        (self.folder / "token").write_text(TOKEN + "\n", encoding="utf-8")
        (self.folder / "token").chmod(0o600)
        server = self.serve("--catalogue", "names.tsv", "--token-file", "token")
        self.allowed_messages = ("status of 401",)
        self.open(server, wait=False)
        self.until(lambda: self.element("#token-dialog").is_displayed())
        self.assertFalse(self.element("#token-problem").is_displayed())
        self.assertEqual(self.script("return document.activeElement.id"), "token")
        self.element("#token").send_keys("a-wrong-token-of-sixteen", Keys.ENTER)
        self.until(lambda: "does not take this token" in self.text("token-problem"))
        self.element("#token").send_keys(TOKEN, Keys.ENTER)
        self.until(lambda: self.rows("next") and self.buttons("results"))
        self.assertFalse(self.element("#token-dialog").is_displayed())
        self.assertEqual(self.script("return [Object.values(sessionStorage), localStorage.length, document.cookie]"),
                         [[TOKEN], 0, ""])
        self.browser.get_log("browser")
        self.allowed_messages = ()
        self.browser.refresh()  # the tab still has it
        self.until(lambda: self.rows("next"))
        self.element("#tab-live").click()
        self.until(lambda: self.text("facts").startswith("Model"))
        self.script("sessionStorage.clear()")

    # The tab "Live"

    def test_the_second_tab_shows_figures_that_rise(self):
        server = self.serve("--catalogue", "names.tsv")
        self.open(server)
        readings = lambda: sum(float(line.split()[-1]) for line in server.ask("GET", "/metrics").body.decode().splitlines()
                               if line.startswith('gru4rec_requests_total{route="/metrics"'))
        quiet = readings()
        time.sleep(1.2)
        self.assertEqual(readings(), quiet + 1, "nothing is read while the tab is not shown")
        self.element("#tab-live").click()
        table = lambda: self.script("""return [...document.querySelectorAll('#readings tr')].map((row) =>
            [...row.children].map((cell) => cell.textContent));""")
        self.until(lambda: len(table()) >= 1)
        self.assertEqual(table()[0][5], "0")
        stop = threading.Event()

        def load():
            connection = server.new_connection()
            for i in range(100_000):
                if stop.wait(0.01):
                    break
                server.ask("POST", f"/v1/sessions/visitor{i % 7}/events", {"item": "1001"}, connection=connection)
                if i % 10 == 0:
                    server.ask("POST", "/v1/recommend", {"session": 1}, connection=connection)
            connection.close()

        thread = threading.Thread(target=load)
        thread.start()
        try:
            self.until(lambda: len(table()) >= 4 and float(table()[0][1].split()[0].replace(",", "")) > 10
                       and float(table()[0][6].split()[0]) > 1)
        finally:
            stop.set()
            thread.join()
        newest = table()[0]
        self.assertRegex(newest[0], r"\A\d\d:\d\d:\d\d\Z")
        self.assertEqual(newest[5], "7")
        micro = [float(cell.split()[0]) * {"µs": 1, "ms": 1e3, "s": 1e6}[cell.split()[1]] for cell in newest[2:5]]
        self.assertEqual(micro, sorted(micro))
        self.assertGreater(micro[0], 0)
        heads = self.script("return [...document.querySelectorAll('thead th')].map((cell) => [cell.textContent, cell.scope])")
        self.assertEqual(heads, [[name, "col"] for name in
                                 ("Time", "Requests", "Median", "90 %", "99 %", "Live sessions", "Errors")])
        figures = self.script("return [...document.querySelectorAll('figure')].map((plot) => [plot.querySelector('figcaption')"
                              ".textContent, [...plot.querySelectorAll('path')].map((line) => line.getAttribute('d').length)])")
        self.assertEqual(len(figures), 4)
        for (text, lines), title in zip(figures, ("Requests", "Latency", "Live sessions", "Errors")):
            self.assertRegex(text, rf"\A{title}\d")
            self.assertEqual(len(lines), 3 if title == "Latency" else 1)
            self.assertGreater(min(lines), 20, text)
        before = readings()
        self.until(lambda: readings() > before + 3)  # goes on
        self.element("#tab-try").click()
        shown = self.script("return document.querySelectorAll('#readings tr').length")
        time.sleep(1.2)
        self.assertEqual(self.script("return document.querySelectorAll('#readings tr').length"), shown)

    # Looks

    def assert_no_sideways_scrolling(self):
        width, window = self.script("return [document.documentElement.scrollWidth, innerWidth]")
        self.assertLessEqual(width, window)

    def test_both_themes_have_contrast_and_the_choice_is_kept(self):
        light_or_dark = lambda: "dark" if self.script(
            "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((c) => c < 80)") else "light"
        for scheme in ("light", "dark"):
            self.emulate(scheme=scheme)
            self.open()
            self.click(self.search("pillow", 8)[3], 1)
            self.click(self.buttons("next")[0], 2)
            self.assertEqual(light_or_dark(), scheme)
            for tab in ("try", "live"):
                self.element(f"#tab-{tab}").click()
                self.until(lambda: tab == "try" or len(self.script("return document.querySelectorAll('#readings tr')")) > 0)
                n, poor = self.script(CONTRAST)
                self.assertGreater(n, 25)
                self.assertEqual(poor, [], f"{scheme}, {tab}")
        self.assertEqual(self.element("#theme").accessible_name, "Light theme")
        self.element("#theme").click()
        self.assertEqual(light_or_dark(), "light")
        self.browser.refresh()
        self.assertEqual(light_or_dark(), "light")
        self.element("#theme").click()
        self.assertEqual((light_or_dark(), self.script("return localStorage.length")), ("dark", 0))

    def test_a_window_of_320_pixels_needs_no_sideways_scrolling(self):
        self.emulate(width=320, height=640)
        self.open()
        self.click(self.search("blanket", 8)[0], 1)
        self.assert_no_sideways_scrolling()
        self.element("#tab-live").click()
        self.until(lambda: len(self.script("return document.querySelectorAll('#readings tr')")) > 0)
        self.assert_no_sideways_scrolling()

    def test_a_screen_reader_finds_a_name_for_every_control_and_one_heading(self):
        self.open()
        self.click(self.search("apron", 8)[0], 1)
        for tab in ("try", "live"):
            self.element(f"#tab-{tab}").click()
            nodes = self.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
            roles = {}
            for node in nodes:
                if not node.get("ignored"):
                    roles.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
            for role in ("button", "searchbox", "spinbutton", "checkbox", "tab", "tabpanel", "list", "table", "region"):
                self.assertNotIn("", [name.strip() for name in roles.get(role, [])], role)
            self.assertEqual(roles["tab"], ["Try", "Live"])
            if tab == "try":
                self.assertEqual(roles["searchbox"], ["Find an item"])
                self.assertRegex(next(name for name in roles["button"] if name.startswith("1 ")),
                                 r"\A1 \S.* 1\d\d\d (new in the list|up \d+ places?|down \d+ places?|same place) score -?[\d.]+\Z")
        self.assertEqual(self.script("return document.querySelectorAll('h1').length"), 1)
        self.assertEqual(self.script("const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);"
                                     "return ids.length - new Set(ids).size"), 0)


if __name__ == "__main__":
    serve_test.find_program()
    if webdriver is None or None in find_browser():
        print("skipped: needs Chromium, its driver and Selenium (Debian: chromium, chromium-driver, python3-selenium)")
        sys.exit(77)
    unittest.main(verbosity=2)
