#!/usr/bin/env python3
"""Trains for an hour with checkpoints: training.py PROGRAM [--minutes 60] [--folder FOLDER] [--threads 1]

Memory of the process must stay flat, no epoch may become slower, and the last checkpoint must be one that can be
resumed. Writes training.tsv and training.svg.
"""
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

from samples import Samples, options_of_run, parse, resident_mib


def is_epoch(line):
    return re.match(r" *epoch +\d+", line) is not None


def start(command, folder):
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def watch(training, options):
    """Takes samples until the time is over, and interrupts. Returns them and the number of epochs."""
    ends = []  # of epochs

    def read():
        for line in training.stdout:
            if is_epoch(line):
                ends.append(time.monotonic())

    threading.Thread(target=read, daemon=True).start()
    samples = Samples(options.folder / "training.tsv", "memory [MiB]", "seconds per epoch")
    while samples.minutes() < options.minutes:
        time.sleep(options.minutes / 6)  # a tenth of the minutes' seconds: 360 samples
        if training.poll() is not None:
            sys.exit(f"training ended by itself, exit status {training.returncode}")
        if len(ends) > 1:
            latest = ends[-20:]
            samples.add(resident_mib(training.pid), (latest[-1] - latest[0]) / (len(latest) - 1))
    training.send_signal(signal.SIGINT)
    if training.wait(60) != 130:
        sys.exit(f"interrupted training ended with exit status {training.returncode}")
    return samples, len(ends)


def require_resumed(training, epochs):
    line = next((line for line in training.stdout if is_epoch(line)), "")
    if not line or int(re.search(r"\d+", line)[0]) < epochs:
        sys.exit(f"after {epochs} epochs the checkpoint goes on with: {line}")
    print(f"{epochs} epochs; resumed with: {line.strip()}")


def main():
    parser = options_of_run(__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parse(parser)
    folder, program = options.folder, options.program.resolve()

    # Long epochs, since the program keeps a report of 750 bytes for each.
    subprocess.run([program, "synth", "train.tsv", "--test", "test.tsv", "--sessions", "200000"], cwd=folder,
                   check=True, capture_output=True)
    command = [program, "train", "train.tsv", "--valid", "test.tsv", "--params", "n_epochs=1000000,n_sample=512",
               "--resume", "training.ckpt", "--checkpoint-steps", "50", "--threads", str(options.threads)]
    with start(command, folder) as training:
        try:
            samples, epochs = watch(training, options)
        finally:
            training.kill()
    with start(command, folder) as again:
        try:
            require_resumed(again, epochs)
        finally:
            again.kill()
    samples.judge(folder, "training", "Training with checkpoints", memory=(0.01, 1), seconds=(0.2, 0))


if __name__ == "__main__":
    main()
