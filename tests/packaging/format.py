"""format.py CLANG-FORMAT PROJECT-FOLDER: every source is laid out as .clang-format says. Skipped for other versions."""
import difflib
import pathlib
import re
import subprocess
import sys

program, root = sys.argv[1], pathlib.Path(sys.argv[2])
version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
if not re.search(r"version 14\.", version):
    print(f"skipped: .clang-format is for version 14, this is {version.strip()}")
    sys.exit(77)

# The texts are compared: --dry-run of version 14 also reports replacements of a text by itself.
failures = 0
for path in sorted(path for folder in ("include", "tests", "examples", "bench") for path in (root / folder).rglob("*")
                   if path.suffix in (".hpp", ".cpp")):
    text = path.read_text(encoding="utf-8")
    formatted = subprocess.run([program, str(path)], capture_output=True, text=True, check=True).stdout
    if text != formatted:
        failures += 1
        name = path.relative_to(root).as_posix()
        diff = difflib.unified_diff(text.splitlines(), formatted.splitlines(), name, name, n=0, lineterm="")
        print("\n".join(list(diff)[:12]))
if failures:
    print(f"{failures} files; mend them with: git ls-files '*.hpp' '*.cpp' | xargs {program} -i")
sys.exit(1 if failures else 0)
