"""What a server says in the terminal when it starts: where it is, and how to come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from iotcenter import __version__


@dataclass(frozen=True)
class Opened:
    """What there is to say of a server that has started.

    ``urls`` are of the web, the one for everybody first. ``ssh`` is the port of the SSH gateway, 0 where it is off.
    ``fingerprint`` is that of a certificate which browsers warn of; empty for one that they know, or where there is
    none. ``setup`` is the link by which the first user is made, None after the first start.
    """

    directory: Path
    created: bool
    urls: Sequence[str]
    transports: Sequence[tuple[str, int]]
    ssh: int
    fingerprint: str
    users: int
    setup: str | None


def banner(opened: Opened, qr: bool = False) -> str:
    """The lines to print, without colours: they go to journals too. ``qr`` adds the setup link as a QR code."""
    lines = [f"IotCenter {__version__}   data {opened.directory}{' (created)' if opened.created else ''}"]
    lines.append(f"  Web      {'   '.join(f'{url}/' for url in opened.urls) or 'off'}")
    if opened.fingerprint:
        pairs = ":".join(opened.fingerprint[at : at + 2].upper() for at in range(0, 16, 2))
        lines.append(f"           (own certificate, SHA-256 {pairs}...: your browser warns of it once)")
    listening = "   ".join(f"{name.upper()} {port}" for name, port in opened.transports if port)
    jump = f"          SSH jump {opened.ssh}" if opened.ssh else ""
    lines.append(f"  Devices  {listening or 'no transport is on'}{jump}")
    if opened.setup is not None:
        lines.append("  No users yet. Open this once, within 24 h:")
        lines.append(f"    {opened.setup}")
        lines += [_qr_code(opened.setup)] if qr else []
        lines.append("  Print a new one: iotcenter setup-link")
    elif not opened.users:
        lines.append("  No users yet: iotcenter setup-link prints the link by which the first one is made")
    lines.append("  Stop: Ctrl+C")
    return "\n".join(lines) + "\n"


def _qr_code(text: str) -> str:
    from segno import make  # only for a first start at a terminal: it takes its time and memory

    drawing = StringIO()
    make(text, micro=False).terminal(drawing, compact=True)
    return drawing.getvalue().rstrip("\n")
