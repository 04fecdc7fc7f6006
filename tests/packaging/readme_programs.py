"""Writes every ```cpp block of a Markdown file that holds a main into a folder; prints the files, separated by `;`."""
import pathlib
import re
import sys

markdown, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
blocks = re.findall(r"^```cpp\n(.*?)^```", markdown.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
programs = [block for block in blocks if re.search(r"\bint main\(", block)]
if not programs:
    sys.exit(f"{markdown}: no ```cpp block holds a main")
folder.mkdir(parents=True, exist_ok=True)
files = []
for number, program in enumerate(programs, 1):
    files.append(folder / f"readme_{number}.cpp")
    files[-1].write_text(program, encoding="utf-8")
print(";".join(map(str, files)))
