"""The command `python -m gru4rec.onnx`."""
import argparse
import sys

from gru4rec.onnx import export


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m gru4rec.onnx",
                                     description="Writes the step network of a model as ONNX: docs/onnx.md.")
    parser.add_argument("model", metavar="MODEL", help="a model file")
    parser.add_argument("file", metavar="FILE", help="the ONNX file; replaced if it exists")
    parser.add_argument("--top-k", type=int, metavar="N",
                        help="list the N best items instead of all scores, leaving out items that a request excludes")
    options = parser.parse_args()
    try:
        export(options.model, options.file, options.top_k)
    except ValueError as error:
        return fail(str(error), 2)
    except OSError as error:
        return fail(f"{error.filename2 or error.filename or options.file}: {error.strerror or error}", 3)
    return 0


def fail(message: str, status: int) -> int:
    """Prints the message and returns the exit status, one of those of the program gru4rec."""
    print(f"gru4rec.onnx: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
