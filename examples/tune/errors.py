"""The error that ends a command with a one-line message."""


class TuneError(Exception):
    """The message says what was wrong, and how to fix it."""
