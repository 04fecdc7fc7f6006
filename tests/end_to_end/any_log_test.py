"""Files of events in the forms that people have them, as the program reads them.

The program is the first argument or GRU4REC_PROGRAM; without either the test is skipped (exit status 77). The files of
other people's forms are in the folder `cases/logs` of GRU4REC_TEST_DATA.
"""
import bz2
import datetime
import gzip
import io
import json
import lzma
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

from program_under_test import program_under_test

PROGRAM = None
TEST_DATA = os.environ.get("GRU4REC_TEST_DATA", "")
LOGS = pathlib.Path(TEST_DATA) / "cases" / "logs"
SMALL = ("--params", "layers=8,batch_size=8,n_epochs=1,n_sample=8")


class AnyLogTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_program(self, *arguments, **options):
        return subprocess.run([PROGRAM, *(str(a) for a in arguments)], cwd=self.folder, timeout=300,
                              **{"capture_output": True, "text": True, **options})

    def run_well(self, *arguments, **options):
        done = self.run_program(*arguments, **options)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done

    def refuses(self, fragments, *arguments, **options):
        done = self.run_program(*arguments, **options)
        self.assertEqual(done.returncode, 2, f"{arguments}: {done.stdout}{done.stderr}")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for fragment in fragments:
            self.assertIn(fragment, done.stderr)

    def counts(self, *arguments, **options):
        """Sessions, items, events of the training data, and what was said on standard error."""
        done = self.run_well("train", *arguments, *SMALL, "--save", "m.st", **options)
        found = re.search(r": (\d+) sessions, (\d+) items, (\d+) events", done.stdout)
        return tuple(int(number) for number in found.groups()), done.stderr

    def model(self, *arguments, **options):
        self.counts(*arguments, **options)
        return (self.folder / "m.st").read_bytes()

    def write(self, name, content):
        (self.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name


class OwnForms(AnyLogTest):
    """One small shop written in many ways: the model is the same to the byte."""

    EVENTS = [(f"s{s}", f"{70000 + (7 * s + 3 * k * k) % 13}", 1431235772 + 1000 * s + 60 * k)
              for s in range(60) for k in range(2 + s % 4)]

    def table(self, separator=",", header="SessionId,ItemId,Time", time=str, quote="", end="\n"):
        lines = [header.replace(",", separator)] if header else []
        lines += [separator.join(f"{quote}{field}{quote}" for field in (s, i, time(t))) for s, i, t in self.EVENTS]
        return end.join(lines) + end

    @staticmethod
    def date(form, suffix=""):
        return lambda t: datetime.datetime.fromtimestamp(t, datetime.timezone.utc).strftime(form) + suffix

    def plain(self):
        return self.model(self.write("plain.csv", self.table()))

    def test_tables(self):
        plain = self.plain()
        numbers = ("--session-key", 1, "--item-key", 2, "--time-key", 3)
        dates = self.date("%Y-%m-%dT%H:%M:%S", "Z")
        forms = {
            "TAB": (self.table("\t"), ()),
            "semicolon": (self.table(";"), ()),
            "pipe": (self.table("|"), ()),
            "CR LF": (self.table(end="\r\n"), ()),
            "byte-order mark": ("\ufeff" + self.table(), ()),
            "quoted CSV": (self.table(quote='"'), ()),
            "quoted TSV": (self.table("\t", quote='"'), ()),
            "blanks": (self.table(", "), ()),
            "no header": (self.table(header=""), numbers),
            "no header, said so": (self.table(header=""), (*numbers, "--header", "no")),
            "other names": (self.table(header="user_session,product_id,event_time"), ()),
            "RecBole": (self.table("\t", "session_id:token,item_id:token,timestamp:float"), ()),
            "milliseconds": (self.table(time=lambda t: f"{t}000"), ()),
            "microseconds": (self.table(time=lambda t: f"{t}000000"), ()),
            "nanoseconds": (self.table(time=lambda t: f"{t}000000000"), ()),
            "milliseconds, said so": (self.table(time=lambda t: f"{t}000"), ("--time-unit", "ms")),
            "ISO 8601": (self.table(time=dates), ()),
            "UTC": (self.table(time=self.date("%Y-%m-%d %H:%M:%S", " UTC")), ()),
            "offset": (self.table(time=lambda t: self.date("%Y-%m-%dT%H:%M:%S", "+02:00")(t + 7200)), ()),
            "repeated header": (self.table() + "SessionId,ItemId,Time\n", ()),
            "rows without a session": (self.table() + "NA,70000,1431235772\n\\N,70001,1431235772\n", ()),
            "rows of another kind": (self.table(header="SessionId,ItemId,Time") + "s1,99,noon,\n", None),
        }
        for name, (text, options) in forms.items():
            with self.subTest(name):
                if options is None:
                    self.refuses(["form.csv:", "4 fields"], "train", self.write("form.csv", text), *SMALL)
                else:
                    self.assertEqual(self.model(self.write("form.csv", text), *options), plain)

    def test_filters(self):
        plain = self.plain()
        rows = [f"{s},{i},{t},view,de" for s, i, t in self.EVENTS]
        more = ["s1,70000,1431235772,buy,de", "s1,70000,1431235772,view,fr"]
        table = "SessionId,ItemId,Time,event,shop\n" + "\n".join(more[:1] + rows + more[1:]) + "\n"
        self.write("typed.csv", table)
        self.assertEqual(self.model("typed.csv", "--where", "event=view,cart", "--where", "shop=de"), plain)
        _, said = self.counts("typed.csv", "--where", "event=view", "--where", "shop=de")
        self.assertIn("2 rows left out by --where", said)
        self.refuses(["--where", "COLUMN=VALUE"], "train", "typed.csv", "--where", "event", *SMALL)
        self.refuses(["typed.csv:1", '"kind"', '"event"'], "train", "typed.csv", "--where", "kind=view", *SMALL)

    def test_missing_values(self):
        self.write("holes.csv", self.table() + "NA,70000,1431235772\n-,70000,1431235772\ns1,70000,NaN\n")
        (_, _, n_events), said = self.counts("holes.csv", "--missing", "NA,-,NaN")
        self.assertEqual(n_events, len(self.EVENTS))
        self.assertIn(f"3 rows skipped, the first one: holes.csv:{len(self.EVENTS) + 2}: ", said)
        self.refuses([f"holes.csv:{len(self.EVENTS) + 2}: ", '"NA"'], "train", "holes.csv", "--strict", *SMALL)

    def test_quotes_as_they_are(self):
        text = "SessionId\tItemId\tTime\n1\t\"a\t1\n1\t\"b\t2\n"
        self.refuses(["q.tsv:2", "--no-quotes"], "train", self.write("q.tsv", text.replace("\"b", "b")), *SMALL)
        self.refuses(["q.tsv:2", "--no-quotes"], "train", self.write("q.tsv", text.replace("\"b", "b\"")), *SMALL)
        self.write("q.tsv", text)
        self.assertEqual(self.counts("q.tsv", "--no-quotes")[0], (1, 2, 2))

    def test_containers(self):
        plain = self.plain()
        text = self.table().encode()
        half = text.index(b"\n", len(text) // 2) + 1
        header = text[:text.index(b"\n") + 1]
        parts = {"a.csv": text[:half], "b.csv": header + text[half:]}
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            for name, part in parts.items():
                out.writestr(name, part)
        tape = io.BytesIO()
        with tarfile.open(fileobj=tape, mode="w:gz") as out:
            for name, part in parts.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(part)
                out.addfile(entry, io.BytesIO(part))
        for name, packed in {"gzip": gzip.compress(text), "bzip2": bz2.compress(text), "xz": lzma.compress(text),
                             "zip": archive.getvalue(), "tar.gz": tape.getvalue()}.items():
            with self.subTest(name):
                self.assertEqual(self.model(self.write("packed", packed)), plain)
        with self.subTest("several files"):
            for name, part in parts.items():
                self.write(name, part)
            self.assertEqual(self.model("a.csv", "b.csv"), plain)
        with self.subTest("a folder"):
            (self.folder / "months").mkdir()
            for name, part in parts.items():
                self.write(f"months/{name}", part)
            self.write("months/.hidden", "not a table")
            self.assertEqual(self.model("months"), plain)
        with self.subTest("standard input"):
            self.assertEqual(self.model("-", input=text.decode()), plain)
        self.refuses(["standard input", "twice"], "train", "-", "-", *SMALL, input="")
        self.refuses(["cut.gz"], "train", self.write("cut.gz", gzip.compress(text)[:200]), *SMALL)

    def test_json_lines(self):
        plain = self.plain()
        flat = "".join(json.dumps({"session_id": s, "item_id": i, "ts": t * 1000}) + "\n" for s, i, t in self.EVENTS)
        sessions = {}
        for s, i, t in self.EVENTS:
            sessions.setdefault(s, []).append({"aid": int(i), "ts": t * 1000, "type": "clicks"})
        nested = "".join(json.dumps({"session": s, "events": events}) + "\n" for s, events in sessions.items())
        self.assertEqual(self.model(self.write("flat.jsonl", flat)), plain)
        self.assertEqual(self.model(self.write("nested.jsonl", nested), "--where", "type=clicks"), plain)
        self.refuses(["bad.jsonl:2"], "train", self.write("bad.jsonl", flat.split("\n")[0] + "\n{\n"), *SMALL)

    def test_sessions_per_line(self):
        sessions = {}
        for s, i, _ in self.EVENTS:
            sessions.setdefault(s, []).append(i)
        by_order = self.model(self.write("rows.csv", "SessionId,ItemId\n" +
                                         "".join(f"{s},{i}\n" for s, i, _ in self.EVENTS)))
        lines = "".join(" ".join(items) + "\n" for items in sessions.values())
        self.assertEqual(self.model(self.write("lines.txt", lines), "--format", "sessions"), by_order)
        lists = "locale,prev_items,next_item\n" + "".join(
            f"DE,\"[{' '.join(repr(i) for i in items[:-1])}]\",{items[-1]}\n" for items in sessions.values())
        self.assertEqual(self.model(self.write("lists.csv", lists)), by_order)

    def test_times(self):
        self.write("counter.csv", "SessionId,ItemId,Time\n" + "".join(f"{s},{i},{n}\n" for n, (s, i, _) in
                                                                      enumerate(self.EVENTS)))
        (self.folder / "out").mkdir()
        self.refuses(["--test-duration", "plain numbers"], "preprocess", "counter.csv", "--out", "out",
                     "--test-duration", "7d")
        self.write("plain.csv", self.table())
        small = ("--min-item-support", 1, "--out", "out")
        self.run_well("preprocess", "plain.csv", "--test-duration", "3h", *small)
        by_unit = (self.folder / "out/test.tsv").read_bytes()
        account = self.run_well("preprocess", "plain.csv", "--test-duration", 10800, *small).stdout
        self.assertEqual((self.folder / "out/test.tsv").read_bytes(), by_unit)
        self.assertRegex(account, r"sessions that start until 2015-05-10 \d\d:\d\d:\d\d UTC")
        self.refuses(["--gap"], "preprocess", "plain.csv", "--gap", "1y", *small)
        self.refuses(["--min-item-support took most"], "preprocess", "plain.csv", "--out", "out", "--min-item-support",
                     1000)
        self.write("mixed.csv", self.table() + "s1,70000,1431235772000\n")
        self.refuses([f"mixed.csv:{len(self.EVENTS) + 2}", "milliseconds", "--time-unit"], "train", "mixed.csv", *SMALL)

    def test_ambiguous_columns(self):
        self.write("two.csv", self.table(header="session_id,item_id,timestamp").replace("timestamp", "timestamp,ts")
                   .replace("\n", ",1\n").replace("ts,1\n", "ts\n"))
        self.refuses(['"timestamp"', '"ts"', "--time-key"], "train", "two.csv", *SMALL)

    def test_what_is_kept(self):
        self.write("plain.csv", self.table())
        self.assertIn("nothing from this training is kept", self.run_well("train", "plain.csv", *SMALL).stderr)
        self.assertNotIn("kept", self.run_well("train", "plain.csv", *SMALL, "--save", "m.st").stderr)
        self.refuses(["commas"], "recommend", "m.st", "--session", "70000 70003")

    def test_what_is_not_a_table(self):
        for content, said in ((b"PAR1\0\0", "Parquet"), (b"\x80\x04\x95", "pickle"), (b'[\n{"a": 1}]', "jq"),
                              (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
                              (b"<html></html>", "web page"), ("a,b".encode("utf-16"), "UTF-16")):
            self.refuses(["thing", said], "train", self.write("thing", content), *SMALL)


class PeoplesFiles(AnyLogTest):
    """The files that other tools write."""

    @classmethod
    def setUpClass(cls):
        if not TEST_DATA:
            raise unittest.SkipTest("GRU4REC_TEST_DATA is not set")

    FILES = [
        (["plain.csv"], (240, 30, 903)),
        (["yoochoose-clicks.dat", "--session-key", "1", "--time-key", "2", "--item-key", "3"], (240, 30, 903)),
        (["retailrocket-events.csv", "--session-key", "visitorid", "--where", "event=view"], (59, 30, 903)),
        (["diginetica-views.csv"], (240, 30, 903)),
        (["rees46-month.csv", "--where", "event_type=view"], (240, 30, 902)),
        (["otto.jsonl", "--where", "type=clicks"], (240, 30, 903)),
        (["amazon-m2.csv"], (240, 30, 903)),
        (["recbole.inter"], (240, 30, 903)),
        (["recbole-seq.inter"], (240, 30, 903)),
        (["session-per-line.txt", "--format", "sessions"], (60, 30, 203)),
        (["no-times.csv"], (60, 30, 203)),
        (["no-header.data", "--session-key", "1", "--item-key", "2", "--time-key", "4"], (60, 30, 203)),
        (["oct.csv", "nov.csv"], (60, 30, 203)),
        (["repeated-header.csv"], (60, 30, 203)),
        (["missing-visitor.csv", "--session-key", "user_id"], (43, 30, 323)),
        (["missing-mysql.tsv"], (57, 30, 194)),
        (["train_float.csv"], (60, 30, 202)),
        (["quoted-pandas.tsv"], (60, 30, 203)),
        (["quoted-r.tsv"], (60, 30, 203)),
        (["blank-after-comma.csv"], (60, 30, 203)),
    ]

    def paths(self, arguments):
        return [str(LOGS / a) if (LOGS / a).is_file() else a for a in arguments]

    def test_counts(self):
        for arguments, counts in self.FILES:
            with self.subTest(arguments[0]):
                self.assertEqual(self.counts(*self.paths(arguments))[0], counts)

    def test_the_same_seconds_make_the_same_model(self):
        plain = self.model(*self.paths(["plain.csv"]))
        for arguments, _ in self.FILES:
            if arguments[0] in ("yoochoose-clicks.dat", "otto.jsonl", "recbole.inter"):
                self.assertEqual(self.model(*self.paths(arguments)), plain, arguments[0])

    def test_visitors_are_cut_into_sessions(self):
        (self.folder / "out").mkdir()
        done = self.run_well("preprocess", LOGS / "retailrocket-events.csv", "--visitor-key", "visitorid", "--where",
                             "event=view", "--gap", "1h", "--test-duration", "1d", "--out", "out")
        self.assertRegex(done.stdout, r"\n +0 +\d+ +30 +903  read\n")
        self.assertRegex(done.stdout, r"\n +0 +231 +30 +903  sessions cut at gaps")

    def test_ids_of_two_kinds(self):
        self.refuses(["test_int.csv", '"70020"', '"70004.0"'], "train", LOGS / "train_float.csv", *SMALL, "--test",
                     LOGS / "test_int.csv")
        self.refuses(["web-page.csv", "web page"], "train", LOGS / "web-page.csv", *SMALL)

    def test_what_describe_suggests_works(self):
        for file in sorted(LOGS.iterdir()):
            with self.subTest(file.name):
                if file.name in ("web-page.csv", "session-per-line.txt"):
                    self.assertEqual(self.run_program("describe", file).returncode, 2)
                    continue
                said = self.run_well("describe", file).stdout
                command = shlex.split(re.search(r"\n    (gru4rec train .*)\n", said).group(1))
                self.run_well(*command[1:], *SMALL)
                self.assertTrue((self.folder / "model.safetensors").stat().st_size > 0)


if __name__ == "__main__":
    PROGRAM = program_under_test()
    if not TEST_DATA:
        print("GRU4REC_TEST_DATA is not set: the files of other tools are skipped")
    elif not LOGS.is_dir():
        sys.exit(f"GRU4REC_TEST_DATA: {LOGS} is not a folder")
    unittest.main(verbosity=2)
