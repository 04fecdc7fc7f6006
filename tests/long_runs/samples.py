"""What the long runs share: their options, memory and latencies over time, the verdict about them, a plot."""
import argparse
import pathlib
import statistics
import sys
import tempfile
import time


def options_of_run(description):
    """A parser of what every long run takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--folder", type=lambda name: pathlib.Path(name).resolve(), default=None,
                        help="of what is written (default: a temporary one)")
    return parser


def parse(parser):
    """The options, with a folder that exists."""
    options = parser.parse_args()
    options.folder = options.folder or pathlib.Path(tempfile.mkdtemp())
    options.folder.mkdir(parents=True, exist_ok=True)
    return options


def resident_mib(pid="self"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the process {pid} has ended")


class Samples:
    """Rows of numbers over time, written to a file as they come."""
    def __init__(self, path, *names):
        self.names = ("minutes", *names)
        self.rows = []
        self.file = open(path, "w", encoding="utf-8")
        print(*self.names, sep="\t", file=self.file, flush=True)
        self.start = time.monotonic()

    def minutes(self):
        return (time.monotonic() - self.start) / 60

    def add(self, *values):
        self.rows.append((self.minutes(), *values))
        print(*(f"{v:.4g}" for v in self.rows[-1]), sep="\t", file=self.file, flush=True)

    def medians(self, name):
        """Of the second quarter of the run, when everything has been allocated, and of the last."""
        values = [row[self.names.index(name)] for row in self.rows]
        quarter = len(values) // 4
        return statistics.median(values[quarter:2 * quarter]), statistics.median(values[-quarter:])

    def require_steady(self, name, share, difference):
        """Exits if the last quarter is larger than the second by more than this share and this difference."""
        before, after = self.medians(name)
        print(f"{name}: {before:.4g} in the second quarter of {self.minutes():.0f} minutes, {after:.4g} in the last, "
              f"{max(r[self.names.index(name)] for r in self.rows):.4g} at most", flush=True)
        if after > before * (1 + share) and after > before + difference:
            sys.exit(f"{name} grows")

    def judge(self, folder, name, title, **limits):
        """Draws FOLDER/NAME.svg, and exits if a column is not steady.

        :param limits: for each column, by its first word: the share and the difference by which it may grow
        """
        self.plot(folder / f"{name}.svg", title)
        for column, (share, difference) in limits.items():
            self.require_steady(next(n for n in self.names if n.startswith(column)), share, difference)
        print(f"The run passes: {folder}")

    def plot(self, path, title):
        """One panel for each column, below each other. Nothing if there is no matplotlib."""
        try:
            import matplotlib
        except ImportError:
            print("no plot: matplotlib is not installed")
            return
        matplotlib.use("Agg")
        from matplotlib import pyplot
        figure, panels = pyplot.subplots(len(self.names) - 1, figsize=(8, 2.2 * (len(self.names) - 1)), sharex=True,
                                         squeeze=False)
        for i, name in enumerate(self.names[1:], start=1):
            axes = panels[i - 1][0]
            axes.plot([r[0] for r in self.rows], [r[i] for r in self.rows], linewidth=1)
            axes.set_ylabel(name, fontsize="small")
            axes.set_ylim(0, 1.1 * max(r[i] for r in self.rows))
            axes.grid(alpha=0.3)
        panels[-1][0].set_xlabel("minutes")
        figure.suptitle(title)
        figure.tight_layout()
        figure.savefig(path)
