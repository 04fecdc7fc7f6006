"""The error that ends a command with one line."""


class TuneError(Exception):
    """Says what was wrong, and how to mend it."""
