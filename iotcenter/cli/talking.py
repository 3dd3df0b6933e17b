"""``iotcenter command``, ``readings`` and ``logs``: what devices are told, and what they say."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from iotcenter.cli.api import Api
from iotcenter.cli.errors import CommandError
from iotcenter.cli.output import Answer, moment, plain, say, table

UNDONE = ("failed", "expired", "cancelled")
"""The states of a command that never took effect, or went wrong."""

TITLES = {"t": "Time", "v": "Value"}
"""What the columns of readings are called where their names are short."""


def command(api: Api, given: Namespace) -> Answer:
    """Send a command, and wait for its result. The status is 1 where it failed."""
    body = {
        "name": given.command,
        "args": arguments(given.arguments),
        "timeout": given.timeout,
        "lifetime": given.lifetime,
    }
    sent = api.post("devices", given.device, "commands", body=body, waiting=given.timeout)
    return Answer(sent, say(outcome(sent)), 1 if sent["state"] in UNDONE else 0)


def arguments(pairs: Sequence[str]) -> dict[str, str]:
    """``key=value`` pairs; the server reads the values as what the command takes. Raises ``CommandError``."""
    read: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise CommandError(f"{pair!r} is not of the form key=value")
        if name in read:
            raise CommandError(f"the argument {name} is given twice")
        read[name] = value
    return read


def outcome(sent: dict[str, Any]) -> str:
    """What became of a command, in a line."""
    if sent["state"] == "done":
        return "done" if sent["result"] is None else f"done: {plain(sent['result'])}"
    if sent["state"] in UNDONE:
        return f"{sent['state']}: {sent['error']}" if sent["error"] else str(sent["state"])
    return f"{sent['state']}: there is no answer yet (command {sent['id']})"


def readings(api: Api, given: Namespace) -> Answer:
    """The readings of a series, raw or summed up in buckets."""
    query = {"device": given.device, "series": given.series, "from": given.start, "to": given.end}
    query |= {"step": given.step, "zone": given.zone}
    if given.csv and given.json:
        raise CommandError("--csv and --json do not go together")
    if given.csv:
        return Answer(None, lambda: _write(api, query))
    found: dict[str, Any] = api.get("readings", **query)
    columns = {name: column for name, column in found.items() if name != "step"}
    cells = ((moment(row[0]), *row[1:]) for row in zip(*columns.values(), strict=True))
    titles = [TITLES.get(name, name.capitalize()) for name in columns]
    return Answer(found, table(titles, cells, "There are no readings in that time."))


def _write(api: Api, query: dict[str, Any]) -> None:
    for piece in api.pieces("readings.csv", **query):
        sys.stdout.buffer.write(piece)


def logs(api: Api, given: Namespace) -> Answer:
    """What a device logged last."""
    lines = api.get("devices", given.device, "logs", limit=given.limit, level=given.level)
    rows = [(moment(line["time"]), line["level"], line["text"]) for line in reversed(lines)]
    return Answer(lines, table(("Time", "Level", "Text"), rows, "It logged nothing yet."))
