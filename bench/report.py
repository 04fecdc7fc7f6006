"""Writes report.md and plots (SVG) from the JSON files that the benchmark programs left in a folder."""
import argparse
import json
import pathlib
import re
import statistics
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  the backend comes first

# Fields of a run that are not counters.
NOT_COUNTERS = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions",
                "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit", "error_occurred",
                "error_message"}


class Benchmark:
    """All runs of one benchmark."""

    def __init__(self, name):
        self.name = name
        self.runs = []
        parts = name.split("/")
        self.family = "/".join(part for part in parts if ":" not in part and part != "real_time")
        self.arguments = dict(part.split(":", 1) for part in parts if ":" in part)

    def median(self, counter):
        return statistics.median(run[counter] for run in self.runs)

    def cell(self, counter):
        """The median, and the range where it says something."""
        values = [run[counter] for run in self.runs if counter in run]
        if not values:
            return ""
        text = short(statistics.median(values))
        low, high = short(min(values)), short(max(values))
        return text if low == high else f"{text} ({low} to {high})"

    def counters(self):
        return [key for key in self.runs[0] if key not in NOT_COUNTERS]


def short(value):
    """Three digits, and thousands separated."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def read_program(path):
    """The context and the benchmarks of one program's file, in order."""
    content = json.loads(path.read_text(encoding="utf-8"))
    benchmarks = {}
    for run in content["benchmarks"]:
        if run.get("error_occurred"):
            sys.exit(f"{path}: {run['name']}: {run.get('error_message', 'failed')}")
        if run.get("run_type", "iteration") == "iteration":
            benchmarks.setdefault(run["run_name"], Benchmark(run["run_name"])).runs.append(run)
    return content["context"], list(benchmarks.values())


def table(rows):
    """Rows of texts as Markdown; the first one is the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def tables(benchmarks):
    """One table for each unit of time and family of counters."""
    groups = {}
    for benchmark in benchmarks:
        groups.setdefault((benchmark.runs[0]["time_unit"], *benchmark.counters()), []).append(benchmark)
    for (unit, *counters), group in groups.items():
        rows = [["benchmark", f"time ({unit})", *counters]]
        for benchmark in group:
            name = benchmark.name.replace("/real_time", "")
            rows.append([f"`{name}`", benchmark.cell("real_time"), *map(benchmark.cell, counters)])
        yield table(rows)


def figure(path, title, x_label, y_label, scale="linear"):
    """Axes to draw on, saved on leaving the with block."""
    class Figure:
        def __enter__(self):
            self.figure, self.axes = plt.subplots(figsize=(7, 4.5))
            self.axes.set(title=title, xlabel=x_label, ylabel=y_label)
            if scale == "log":
                self.axes.set(xscale="log", yscale="log")
            self.axes.grid(True, which="major", alpha=0.3)
            return self.axes

        def __exit__(self, *_):
            self.axes.legend(fontsize="small")
            self.figure.tight_layout()
            self.figure.savefig(path, metadata={"Date": None})
            plt.close(self.figure)
    return Figure()


def lines(benchmarks, family, x, y):
    """{label: ([x], [y])} of the family's benchmarks, one line per value of the other arguments."""
    result = {}
    for benchmark in benchmarks:
        if benchmark.family == family and x in benchmark.arguments:
            others = [f"{key} {value}" for key, value in benchmark.arguments.items() if key != x]
            points = result.setdefault(", ".join(others), ([], []))
            points[0].append(int(benchmark.arguments[x]))
            points[1].append(benchmark.median(y))
    return result


def plot_lines(benchmarks, folder, family, x, y, title, labels, scale):
    """Returns the file's name, or nothing where the benchmarks did not run."""
    drawn = lines(benchmarks, family, x, y)
    if not drawn:
        return None
    name = re.sub(r"\W+", "_", family) + f"_by_{x}.svg"
    with figure(folder / name, title, *labels, scale) as axes:
        for label, (xs, ys) in drawn.items():
            axes.plot(xs, ys, marker="o", label=label)
        if scale == "linear":
            axes.set_ylim(bottom=0)
    return name


def plot_latency(benchmarks, folder):
    families = ("top_20/trained", "top_20_quantized/trained")
    chosen = [b for b in benchmarks if b.family in families]
    if not chosen:
        return None
    name = "top_20_latency.svg"
    with figure(folder / name, "Top 20 of one session, trained table", "items", "microseconds", "log") as axes:
        for family in families:
            for percentile, style in (("p50_us", "-"), ("p90_us", "--"), ("p99_us", ":")):
                for label, (xs, ys) in lines(chosen, family, "V", percentile).items():
                    kind = "quantised" if "quantized" in family else "exact"
                    axes.plot(xs, ys, style, marker=".", label=f"{kind}, {label}, {percentile[:3]}")
    return name


def plot_roofline(benchmarks, folder):
    """Points: flop per byte of memory traffic against flop/s; roofs: the best peaks that the programs measured."""
    peaks = [b for b in benchmarks if b.family == "peaks" and b.arguments.get("threads") == "1"]
    points = [b for b in benchmarks if b.arguments.get("threads", "1") == "1" and
              {"GFLOP/s", "GB/s"} <= set(b.counters())]
    if not peaks or not points:
        return None
    flops, stream = peaks[0].median("GFLOP/s"), peaks[0].median("update_GB/s")
    name = "roofline.svg"
    with figure(folder / name, "Roofline, one thread", "flop per byte", "GFLOP/s", "log") as axes:
        xs = [2.0 ** exponent for exponent in range(-4, 12)]
        axes.plot(xs, [min(flops, stream * x) for x in xs], color="black", label="multiply-adds, stream")
        families = {}
        for benchmark in points:
            families.setdefault(benchmark.family, []).append(benchmark)
        for family, group in families.items():
            axes.plot([b.median("GFLOP/s") / b.median("GB/s") for b in group], [b.median("GFLOP/s") for b in group],
                      "o", label=family)
    return name


def plots(benchmarks, folder):
    """(title, file) of each plot whose benchmarks ran."""
    by_units = "Training: events per second by width"
    by_items = "Training: time of a step by the size of the catalogue"
    drawn = [
        (by_units, plot_lines(benchmarks, folder, "training_step/by_units", "H", "events/s", by_units,
                              ("units", "events/s"), "linear")),
        (by_items, plot_lines(benchmarks, folder, "training_step/by_items", "V", "real_time", by_items,
                              ("items", "ms per iteration"), "log")),
        ("Top 20 of one session", plot_latency(benchmarks, folder)),
        ("Roofline", plot_roofline(benchmarks, folder)),
    ]
    return [(title, name) for title, name in drawn if name]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    files = sorted(folder.glob("*.json"))
    if not files:
        sys.exit(f"{folder}: no JSON file of a benchmark program")
    everything = []
    sections = []
    for path in files:
        context, benchmarks = read_program(path)
        if not everything:
            sections.append("# Benchmarks\n\n" + table([["", ""]] + [
                [key, str(context[key])] for key in ("date", "cpu", "num_cpus", "compiler", "build", "fma_peak_gflops")
                if key in context]) + "\n\nMedian (least to most) of the repetitions.")
        everything += benchmarks
        sections.append(f"## {path.stem}\n\n" + "\n\n".join(tables(benchmarks)))
    images = [f"## {title}\n\n![{title}]({name})" for title, name in plots(everything, folder)]
    (folder / "report.md").write_text("\n\n".join(sections[:1] + images + sections[1:]) + "\n", encoding="utf-8")
    print(folder / "report.md")


if __name__ == "__main__":
    main()
