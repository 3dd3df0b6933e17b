"""What aiocoap does with a second of its processor, measured beside us."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from _coap import PLAIN, new_contexts
from _support import cpu_seconds, keep_apart

from tests.processes import Program, free_port

FIRST = 400
"""Requests before it counts: a context of OSCORE begins with an exchange of its own."""


async def posts(reactor: Any, folder: Path, count: int) -> tuple[float, float]:
    """How many confirmable POSTs a server answers in a second of its processor: plain CoAP, and with OSCORE. It stores
    nothing."""
    new_contexts(folder)
    return await _measured(reactor, PLAIN, count), await _measured(reactor, str(folder), count)


async def _measured(reactor: Any, folder: str, count: int) -> float:
    port = str(free_port())
    words = [sys.executable, str(Path(__file__).with_name("_coap.py"))]
    server = Program(reactor, [*words, "server", port, folder])
    try:
        await server.until("ready")
        keep_apart(server.pid)
        await _post(Program(reactor, [*words, "client", port, folder, str(FIRST)]), FIRST)
        before = cpu_seconds(server.pid)
        await _post(Program(reactor, [*words, "client", port, folder, str(count)]), count)
        return count / (cpu_seconds(server.pid) - before)
    finally:
        await server.end()


async def _post(client: Program, count: int) -> None:
    await client.until(f"answered {count}.", 120.0)
    await client.end()
