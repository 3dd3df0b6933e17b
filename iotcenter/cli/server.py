"""``iotcenter status``, ``setup-link`` and ``token ...``: the server itself, and what other programs come in with."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import Any

from iotcenter.cli.api import Api
from iotcenter.cli.asking import confirm
from iotcenter.cli.output import Answer, age, facts, moment, say, size, table


def status(api: Api, given: Namespace) -> Answer:
    """How the server fares."""
    api.wait(given.wait)
    found = api.get("status")
    states = ", ".join(f"{found[state]} {state}" for state in ("online", "late", "offline"))
    shown = facts(
        (
            ("Version", found["version"]),
            ("Started", age(time.time() - found["uptime"], time.time())),
            ("Devices", f"{found['devices']} ({states})"),
            ("Transports", ", ".join(f"{name} {port}" for name, port in found["transports"].items())),
            ("Storage", " ".join((found["storage"], *found["notices"]))),
            ("Disk", disk(found["disk"])),
            ("Backup", found["backup"]),
            ("Address", found["address"]),
            ("Certificate", found["fingerprint"]),
            ("Authority", found["authority"]),
        )
    )
    return Answer(found, shown)


def disk(found: dict[str, Any]) -> str:
    """How full the disk is, in a line."""
    return f"{found['forecast']} ({size(found['used'])} of readings, {size(found['free'])} free)"


def setup_link(api: Api, given: Namespace) -> Answer:
    """A new one-time link that makes the first user."""
    made = api.post("setup-link")
    return Answer(made, say(made["link"]))


def list_tokens(api: Api, given: Namespace) -> Answer:
    """All API tokens, without their secrets, which are not kept."""
    tokens = api.get("tokens")
    rows = [
        (
            token["name"],
            token["role"],
            token["owner"],
            moment(token["expires"]) or "never",
            moment(token["last_used"]) or "never",
        )
        for token in tokens
    ]
    return Answer(tokens, table(("Name", "Role", "Owner", "Expires", "Last used"), rows, "There are no API tokens."))


def create_token(api: Api, given: Namespace) -> Answer:
    """A new API token. Its secret is shown this once."""
    made = api.post("tokens", body={"name": given.name, "role": given.role, "lifetime": given.lifetime})
    return Answer(made, say(made["token"]))


def remove_token(api: Api, given: Namespace) -> Answer:
    """Remove an API token; it is refused from now on."""
    confirm(f"Remove the token {given.name}?", given.yes)
    return Answer(api.delete("tokens", given.name), say(f"{given.name} is removed"))
