"""The rival: aiocoap, as a server that stores nothing, and as its clients; each is a process of its own.

``python _coap.py server PORT FOLDER`` says "ready" and serves. ``python _coap.py client PORT FOLDER COUNT`` sends so
many confirmable POSTs, and says how many were answered. With a FOLDER, which has a security context for each end, all
is protected by OSCORE (RFC 8613); without (``-``) it is plain CoAP.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from pathlib import Path
from typing import Any

from aiocoap import CHANGED, POST, Context, Message, resource
from aiocoap.credentials import CredentialsMap
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper

PLAIN = "-"

PAYLOAD = bytes(25)
"""As long as the two readings of a chip are."""

CLIENTS = 8
"""Clients at a time, each with one request on its way, as the protocol wants it."""


class Readings(resource.Resource):  # type: ignore[misc]
    """Takes readings."""

    async def render_post(self, request: Message) -> Message:
        """Say that they arrived."""
        return Message(code=CHANGED)


def new_contexts(folder: Path) -> None:
    """Make a security context for each client, and its counterpart for the server."""
    for number in range(CLIENTS):
        secret = secrets.token_hex(16)
        ends = {"server": ("ff", f"{number:02x}"), "client": (f"{number:02x}", "ff")}
        for side, (own, other) in ends.items():
            context = folder / f"{side}-{number}"
            context.mkdir()
            settings = {"sender-id_hex": own, "recipient-id_hex": other, "secret_hex": secret}
            (context / "settings.json").write_text(json.dumps(settings))


async def serve(port: int, folder: str) -> None:
    """Serve for ever."""
    site: Any = resource.Site()
    site.add_resource(["r"], Readings())
    if folder != PLAIN:
        contexts = CredentialsMap()
        for number in range(CLIENTS):
            contexts.load_from_dict({f":{number}": {"oscore": {"basedir": f"{folder}/server-{number}/"}}})
        site = OscoreSiteWrapper(site, contexts)
    await Context.create_server_context(site, bind=("127.0.0.1", port))
    print("ready", flush=True)
    await asyncio.Event().wait()


async def load(port: int, folder: str, count: int) -> None:
    """Send POSTs from all clients."""
    answered = await asyncio.gather(*(post(port, folder, number, count // CLIENTS) for number in range(CLIENTS)))
    print(f"answered {sum(answered)}.", flush=True)


async def post(port: int, folder: str, number: int, count: int) -> int:
    """One client; how many of its requests were answered."""
    context = await Context.create_client_context()
    uri = f"coap://127.0.0.1:{port}/r"
    if folder != PLAIN:
        basedir = {"basedir": f"{folder}/client-{number}/"}
        context.client_credentials.load_from_dict({f"coap://127.0.0.1:{port}/*": {"oscore": basedir}})
    answered = 0
    for _ in range(count):
        answer = await context.request(Message(code=POST, uri=uri, payload=PAYLOAD)).response
        answered += answer.code == CHANGED
    await context.shutdown()
    return answered


def main() -> None:
    """Read the command line, and run."""
    role, port, folder, *count = sys.argv[1:]
    asyncio.run(serve(int(port), folder) if role == "server" else load(int(port), folder, int(count[0])))


if __name__ == "__main__":
    main()
