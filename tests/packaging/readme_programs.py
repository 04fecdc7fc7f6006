"""The programs that documents show.

readme_programs.py write FOLDER MARKDOWN...  writes every ```cpp block that holds a main to FOLDER/NAME_N.cpp and, if a
                                             ```text block follows directly, that to NAME_N.txt; prints the programs,
                                             separated by `;`
readme_programs.py run FOLDER PROGRAM...     runs them in this order, as one reads the files of another, and compares
                                             their output with NAME_N.txt: decimal numbers may differ by 5 %, as they
                                             do between instruction sets, whole numbers are not compared
"""
import pathlib
import random
import re
import subprocess
import sys

NUMBER = r"-?\d+\.\d+|\d+"


def write_text(path, text):
    """Leaves a file with this text alone, so that it is not compiled again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def write(folder, *documents):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for markdown in map(pathlib.Path, documents):
        text = markdown.read_text(encoding="utf-8")
        blocks = re.findall(r"^```cpp\n(.*?)^```\n(?:\n*```text\n(.*?)^```)?", text, re.MULTILINE | re.DOTALL)
        programs = [block for block in blocks if re.search(r"\bint main\(", block[0])]
        if not programs:
            sys.exit(f"{markdown}: no ```cpp block holds a main")
        for number, (program, output) in enumerate(programs, 1):
            files.append(folder / f"{markdown.stem.lower()}_{number}.cpp")
            write_text(files[-1], program)
            if output:
                write_text(files[-1].with_suffix(".txt"), output)
    print(";".join(map(str, files)))


def write_data(folder):
    """Writes train.tsv and test.tsv: sessions that walk along a ring of items."""
    numbers = random.Random(1)
    for name, n_sessions in (("train.tsv", 200), ("test.tsv", 40)):
        lines = ["SessionId\tItemId\tTime"]
        for session in range(n_sessions):
            first = numbers.randrange(30)
            lines += [f"{session}\titem-{(first + step) % 30}\t{100 * session + step}" for step in range(5)]
        (pathlib.Path(folder) / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def difference(expected, actual):
    """What is wrong with the actual output, or None."""
    same = re.sub(NUMBER, "#", expected) == re.sub(NUMBER, "#", actual)
    pairs = zip(re.findall(NUMBER, expected), re.findall(NUMBER, actual)) if same else []
    if not same or any("." in e and abs(float(e) - float(a)) > 0.05 * abs(float(e)) for e, a in pairs):
        return f"the document shows\n{expected}but the program printed\n{actual}"
    return None


def run(folder, *programs):
    folder = pathlib.Path(folder)
    here = folder / "run"
    here.mkdir(exist_ok=True)
    write_data(here)
    for program in map(pathlib.Path, programs):
        done = subprocess.run([program], cwd=here, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, end="", flush=True)
        if done.returncode != 0:
            sys.exit(f"{program.name}: exit status {done.returncode}")
        expected = folder / f"{program.stem}.txt"
        found = expected.exists() and difference(expected.read_text(encoding="utf-8"), done.stdout)
        if found:
            sys.exit(f"{program.name}: {found}")


if __name__ == "__main__":
    commands = {"write": write, "run": run}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
