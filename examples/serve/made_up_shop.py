#!/usr/bin/env python3
"""A made-up shop with readable names: sessions to train on, a catalogue for the page, and a model.

    made_up_shop.py PROGRAM FOLDER

writes FOLDER/sessions.tsv and FOLDER/names.tsv, and trains FOLDER/shop.safetensors with PROGRAM, which is gru4rec. The
same on every run.
"""
import pathlib
import random
import subprocess
import sys

ROOMS = {
    "Kitchen": ["kettle", "teapot", "espresso cup", "chopping board", "bread knife", "mixing bowl", "frying pan",
                "pepper mill", "apron", "milk jug"],
    "Desk": ["desk lamp", "notebook", "fountain pen", "pencil case", "letter tray", "paper clips", "desk mat",
             "bookend", "stapler", "ink bottle"],
    "Garden": ["watering can", "hand trowel", "seed tray", "plant pot", "garden gloves", "secateurs", "bird feeder",
               "twine", "rain gauge", "kneeling pad"],
    "Bath": ["bath towel", "soap dish", "hand brush", "bath mat", "laundry basket", "shower curtain", "flannel",
             "toothbrush cup", "mirror", "hook rail"],
    "Bed": ["pillow case", "wool blanket", "bedside lamp", "alarm clock", "linen sheet", "quilt", "night light",
            "slippers", "eye mask", "hot-water bottle"],
}
FINISHES = ["Oak", "Walnut", "Brass", "Blue enamel", "White", "Slate grey", "Olive", "Terracotta"]


def items():
    """(id, name) of each item, room by room."""
    names = [f"{finish} {thing}" for things in ROOMS.values() for thing in things for finish in FINISHES]
    return [(str(1001 + i), name) for i, name in enumerate(names)]


def sessions(n, seed=1):
    """Lists of ids. A visitor looks at a few things of one room, mostly in one finish, and now and then changes room."""
    chance = random.Random(seed)
    ids = [item for item, _ in items()]
    n_things, n_finishes = len(next(iter(ROOMS.values()))), len(FINISHES)
    for _ in range(n):
        room, thing, finish = (chance.randrange(len(ROOMS)), chance.randrange(n_things),
                               min(chance.randrange(n_finishes), chance.randrange(n_finishes)))
        clicks = []
        for _ in range(2 + min(int(chance.expovariate(0.4)), 12)):
            clicks.append(ids[(room * n_things + thing) * n_finishes + finish])
            if chance.random() < 0.08:
                room = (room + 1) % len(ROOMS)
            if chance.random() < 0.25:
                finish = chance.randrange(n_finishes)
            thing = (thing + chance.choice((1, 1, 1, 2, 3))) % n_things
        yield clicks


def write_sessions(path, n=6000):
    with open(path, "w", encoding="utf-8") as file:
        file.write("SessionId\tItemId\tTime\n")
        for number, clicks in enumerate(sessions(n), 1):
            file.writelines(f"{number}\t{item}\t{number * 100 + i}\n" for i, item in enumerate(clicks))


def write_catalogue(path, more=()):
    """@param more  further rows: (id, name, picture)"""
    with open(path, "w", encoding="utf-8") as file:
        file.write("id\tname\tpicture\n")
        file.writelines("\t".join(row) + "\n" for row in [(item, name, "") for item, name in items()] + list(more))


def make(program, folder, params="layers=64,n_epochs=8,n_sample=64,learning_rate=0.1", n_sessions=6000, **run_options):
    """@param run_options  of subprocess.run, for the training"""
    write_sessions(folder / "sessions.tsv", n_sessions)
    write_catalogue(folder / "names.tsv")
    subprocess.run([program, "train", "sessions.tsv", "--params", params, "--save", "shop.safetensors"], cwd=folder,
                   check=True, **run_options)


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]))
