"""``iotcenter``: the command line, a client of the JSON API over the control socket in the server's data directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from iotcenter.cli.api import Api
from iotcenter.cli.errors import CommandError
from iotcenter.cli.output import plain
from iotcenter.cli.parser import make_parser


def main() -> None:
    """What the program ``iotcenter`` runs."""
    sys.exit(run(sys.argv[1:], os.environ))


def run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Carry out one command line; the exit status. What went wrong is one line on standard error."""
    given = make_parser().parse_args(words)
    directory = given.data or default_directory(environment)
    try:
        status: int = given.run(Api(directory), given).give(given.json)
        sys.stdout.flush()
        return status
    except CommandError as error:
        print(f"iotcenter: {plain(str(error))}", file=sys.stderr)
    except BrokenPipeError:
        # Who reads our output, such as head, has seen enough. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (KeyboardInterrupt, EOFError):
        print(file=sys.stderr)
    return 1


def default_directory(environment: Mapping[str, str]) -> Path:
    """Where the server keeps its data when nobody says otherwise: the first place that systemd names, or here."""
    return Path(environment.get("STATE_DIRECTORY", "").partition(":")[0] or "iotcenter-data")
