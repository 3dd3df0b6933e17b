"""What the command line asks the person in front of it."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace
from pathlib import Path

from iotcenter.cli.errors import CommandError

MAX_PASSWORD = 1024
"""Characters of the longest password that the server takes."""

SHORTEST_PASSPHRASE = 8
"""Characters of the shortest passphrase for a backup: whoever has the file may try as many as they like."""


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


def passphrase(given: Namespace, twice: bool) -> str:
    """The passphrase of a backup: the first line of the file that was named, or of standard input, or typed.

    It is never on the command line, which everybody on the machine can see. Raises ``CommandError``.
    """
    if given.passphrase_file is not None:
        secret = _first_line(given.passphrase_file)
    elif given.passphrase_stdin:
        secret = sys.stdin.readline(MAX_PASSWORD + 2).removesuffix("\n")
    elif not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask for the passphrase on: give it with --passphrase-file")
    else:
        secret = getpass.getpass("Passphrase: ")
        if twice and getpass.getpass("Again: ") != secret:
            raise CommandError("the two passphrases differ")
    if twice and len(secret) < SHORTEST_PASSPHRASE:
        raise CommandError(f"a passphrase has {SHORTEST_PASSPHRASE} characters at least")
    return secret


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(MAX_PASSWORD + 2).removesuffix("\n")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path} holds no text") from None
