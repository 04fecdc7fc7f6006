#!/usr/bin/env python3
"""Trains a model further on a stream for an hour: stream.py [--minutes 60] [--folder FOLDER]

Needs the Python package. Each round brings new sessions, some with items that were never seen, then partial_fit, lists
and a file. Memory must grow by no more than the new items take. Writes stream.tsv and stream.svg.
"""
import random
import sys
import time

import gru4rec

from samples import Samples, options_of_run, parse, resident_mib

UNITS = 32
# UNITS and a bias are padded to rows of 48 floats: weights and optimiser state, before and after the model is extended.
# The rest is for the id, the support and the tables that negatives are drawn from.
BYTES_PER_ITEM = 4 * 4 * 48 + 300


def sessions(rng, n_items, count):
    """Random walks over neighbouring items."""
    result = []
    for _ in range(count):
        item = rng.randrange(n_items)
        walk = []
        for _ in range(rng.randrange(2, 12)):
            walk.append(f"item-{item}")
            item = (item + rng.choice((1, 1, 2, 3))) % n_items
        result.append(walk)
    return result


def main():
    options = parse(options_of_run(__doc__))
    folder = options.folder
    rng = random.Random(1)
    n_items = 1000
    model = gru4rec.GRU4Rec(layers=[UNITS], n_epochs=1, batch_size=32, n_sample=128)
    model.fit(sessions(rng, n_items, 5000))

    samples = Samples(folder / "stream.tsv", "memory less new items [MiB]", "seconds per round")
    rounds = 0
    while samples.minutes() < options.minutes:
        n_items += 1
        start = time.monotonic()
        model.partial_fit(sessions(rng, n_items, 500))
        best = model.recommend(["item-1", "item-2"], 20)
        if len(best) != 20:
            sys.exit(f"{len(best)} items recommended")
        model.save(folder / "stream.safetensors")
        rounds += 1
        samples.add(resident_mib() - (n_items - 1000) * BYTES_PER_ITEM / 2**20, time.monotonic() - start)
        time.sleep(options.minutes / 60)
    print(f"{rounds} rounds, {model.n_items_} items")
    samples.judge(folder, "stream", "Training on a stream", memory=(0.02, 2), seconds=(0.3, 0.1))


if __name__ == "__main__":
    main()
