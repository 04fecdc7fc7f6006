"""run_example.py PROGRAM REGEX [SOURCE]: runs an example. It must succeed and print what the regular expression says. With
SOURCE, the name of its source file, the output must be the one that docs/building_blocks.md shows after that name."""
import pathlib
import re
import subprocess
import sys

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests" / "packaging"))
import readme_programs  # noqa: E402


def main():
    program, expression, *source = sys.argv[1:]
    run = subprocess.run([program], stdout=subprocess.PIPE, encoding="utf-8")
    print(run.stdout)
    if run.returncode != 0:
        sys.exit(f"{program}: exit status {run.returncode}")
    if not re.search(expression, run.stdout):
        sys.exit(f"the output has nothing like {expression}")
    for name in source:
        document = (PROJECT / "docs" / "building_blocks.md").read_text(encoding="utf-8")
        shown = re.search(rf"^`{re.escape(name)}`[^`]*```text\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
        if not shown:
            sys.exit(f"docs/building_blocks.md does not show the output of {name}")
        difference = readme_programs.difference(shown.group(1), run.stdout)
        if difference:
            sys.exit(difference)


if __name__ == "__main__":
    main()
