"""Writes every ```cpp block that holds a main into a folder; prints the files, separated by `;`.

readme_programs.py FOLDER MARKDOWN...
"""
import pathlib
import re
import sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
files = []
for markdown in map(pathlib.Path, sys.argv[2:]):
    blocks = re.findall(r"^```cpp\n(.*?)^```", markdown.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    programs = [block for block in blocks if re.search(r"\bint main\(", block)]
    if not programs:
        sys.exit(f"{markdown}: no ```cpp block holds a main")
    for number, program in enumerate(programs, 1):
        files.append(folder / f"{markdown.stem.lower()}_{number}.cpp")
        files[-1].write_text(program, encoding="utf-8")
print(";".join(map(str, files)))
