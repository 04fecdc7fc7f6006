"""step_model.py JSON-FILE: how long a training step takes with more cores than were measured.

Reads what step_timeline wrote, predicts the steps that were measured (and prints the error), then 4 to 32 threads.

A loop of W thread-microseconds of work, the longest chunk of which takes C, takes with p threads (as many as it has
chunks, at most)

    start(p) + max(C, W / p + C (p - 1) / 2 p, bytes through memory / bandwidth(p))

and serial code stays as it is. With more than one thread W is that which was measured with all threads, as threads
read what other cores wrote. So what is checked with two threads is how the work divides, not what it costs.
"""
import argparse
import json
import math
import sys

THREADS = (4, 8, 16, 32)


class Machine:
    """What the model assumes of a machine; all of it can be set on the command line."""

    def __init__(self, file, options):
        self.measured_threads = file["threads"]
        self.start_us = options.start_us  # of a loop on two threads: the time to a thread's first chunk
        self.per_doubling_us = options.per_doubling_us  # more for each doubling of the threads
        self.core_bandwidth = file["stream_one"] if options.core_gb is None else options.core_gb * 1e9
        self.all_bandwidth = file["stream_all"] if options.all_gb is None else options.all_gb * 1e9

    def start(self, threads):
        """Late starts and the wait for the last thread to report, in us."""
        return 0 if threads == 1 else self.start_us + self.per_doubling_us * math.log2(threads / 2)

    def bandwidth(self, threads):
        return min(threads * self.core_bandwidth, self.all_bandwidth)


def loop_us(loop, threads, machine, from_memory):
    """Wall time per step of all loops of a label, which take `busy_us` of one thread and `from_memory` bytes."""
    if loop["chunks"] <= 0:
        return loop["wall_us"]
    workers = min(threads, round(loop["chunks"]))
    if workers <= 1:
        return loop["busy_us"]
    # Threads end half a chunk apart, and no loop is shorter than its longest chunk.
    share = max(loop["longest_us"], loop["busy_us"] / workers + loop["longest_us"] / 2 * (workers - 1) / workers)
    memory = from_memory / machine.bandwidth(threads) * 1e6
    return max(share, memory) + loop["loops"] * machine.start(threads)


def memory_bytes(loop, share):
    """Bytes that come from memory: only the tables of items are larger than the caches."""
    return loop["bytes"] * share if loop["label"] in ("updates", "scores", "gather") else 0


def predict(one, many, threads, machine, options):
    """Microseconds of a step, and of the serial code in it."""
    busy_of_many = {loop["label"]: loop["busy_us"] for loop in many["loops"]} if many else {}
    parallel = 0
    for loop in one["loops"]:
        now = dict(loop)
        if threads > 1 and loop["busy_us"] > 0:
            more = max(1, busy_of_many.get(loop["label"], 0) / loop["busy_us"])
            now["busy_us"] *= more
            now["longest_us"] *= more
        parallel += loop_us(now, threads, machine, memory_bytes(loop, options.from_memory))
    serial_of = many if many and threads > 1 else one
    serial = sum(loop["before_us"] for loop in serial_of["loops"]) + serial_of["after_us"]
    return parallel + serial, serial


def too_few_chunks(one, threads):
    """Loops with fewer chunks than threads, if they take more than 1 % of the step of one thread."""
    total = sum(loop["busy_us"] for loop in one["loops"])
    return [f"{loop['label']} ({round(loop['chunks'])})" for loop in one["loops"]
            if 0 < round(loop["chunks"]) < threads and loop["busy_us"] >= 0.01 * total]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="what step_timeline wrote")
    parser.add_argument("--start-us", type=float, default=1.2, help="of a loop on two threads")
    parser.add_argument("--per-doubling-us", type=float, default=0.5, help="more for each doubling of the threads")
    parser.add_argument("--core-gb", type=float, help="GB/s of one core (default: as measured)")
    parser.add_argument("--all-gb", type=float, help="GB/s of all cores (default: as measured with all threads)")
    parser.add_argument("--from-memory", type=float, default=0.6,
                        help="share of the bytes of candidates and updates that no cache has")
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as text:
        file = json.load(text)
    machine = Machine(file, options)
    by_setting = {}
    for measured in file["measured"]:
        by_setting.setdefault(measured["setting"], {})[measured["threads"]] = measured
    print(f"loop start {machine.start_us} us on 2 threads, {machine.per_doubling_us} us more for each doubling; "
          f"{machine.core_bandwidth * 1e-9:.0f} GB/s for a core, {machine.all_bandwidth * 1e-9:.0f} for all\n")
    print("| setting | threads | measured us | predicted us | error % | speed-up | serial % | loops with too few chunks |")
    print("|---|---|---|---|---|---|---|---|")
    for name, runs in by_setting.items():
        if 1 not in runs:
            sys.exit(f"{options.file}: no run of {name} with one thread")
        one = runs[1]
        many = runs.get(machine.measured_threads)
        single = one["step_us"]
        for threads in sorted({*runs, *THREADS}):
            us, serial = predict(one, many, threads, machine, options)
            measured = runs.get(threads)
            known = f"{measured['step_us']:.0f}" if measured else ""
            error = f"{100 * (us / measured['step_us'] - 1):+.1f}" if measured else ""
            few = ", ".join(too_few_chunks(one, threads)) if threads > 1 else ""
            print(f"| {name} | {threads} | {known} | {us:.0f} | {error} | {single / us:.2f} | "
                  f"{100 * serial / us:.0f} | {few} |")


if __name__ == "__main__":
    main()
