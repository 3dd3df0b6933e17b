"""What the command line asks the person in front of it."""

from __future__ import annotations

import getpass
import sys

from iotcenter.cli.errors import CommandError

MAX_PASSWORD = 1024
"""Characters of the longest password that the server takes."""


def confirm(question: str, yes: bool) -> None:
    """Ask before something is lost, unless ``yes`` was said or nobody is there. Raises ``CommandError`` for a no."""
    if yes or not sys.stdin.isatty():
        return
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed")


def password(from_stdin: bool) -> str:
    """A new password: the first line of standard input, or typed twice. Raises ``CommandError`` where there is none."""
    if from_stdin:
        line = sys.stdin.readline(MAX_PASSWORD + 2).removesuffix("\n")
        if not line:
            raise CommandError("no password came on standard input")
        return line
    if not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask for the password on: give it with --password-stdin")
    typed = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != typed:
        raise CommandError("the two passwords differ")
    return typed
