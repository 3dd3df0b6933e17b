"""A photo or another file on its way to the server, as the application sees it."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Generator
from contextvars import ContextVar
from pathlib import Path
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred

COMMAND: ContextVar[int] = ContextVar("command", default=0)
"""The number of the command that is being run, 0 outside of one: what it uploads is its result."""

MAX_NAME = 100
"""Characters of a name: what a page shows in a line."""


class UploadError(Exception):
    """A file cannot be sent; the text says why."""


class Upload:
    """A file that was given to ``app.upload``.

    Nothing needs to be done with it: it is on this machine's disk in a moment, and on the server's as soon as the link
    allows, after a restart too. Who wants to know may wait: an ``async`` function with ``await``, a thread with
    ``wait``; both raise ``UploadError`` where the file cannot be sent. A command that returns it shows its name.
    """

    def __init__(self, content: bytes | str | os.PathLike[str], media_type: str = "", name: str = "") -> None:
        self.content = Path(content) if isinstance(content, (str, os.PathLike)) else bytes(memoryview(content))
        path = self.content if isinstance(self.content, Path) else None
        self.media_type = (media_type or _guess(path))[:MAX_NAME]
        self.name = (name or (path.name if path else _name_for(self.media_type)))[:MAX_NAME]
        self.command = COMMAND.get()
        self._ended = Event()
        self._error: UploadError | None = None
        self._waiting: list[Deferred[None]] = []

    def __str__(self) -> str:
        return self.name

    def __await__(self) -> Generator[Deferred[None], Any, None]:
        """On the reactor's thread: wait until the server has it. Raises ``UploadError``."""
        if not self._ended.is_set():
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            yield from waiting.__await__()
        if self._error is not None:
            raise self._error

    def wait(self, timeout: float | None = None) -> bool:
        """In a thread: wait until the server has it, up to ``timeout`` seconds; whether it has. Raises
        ``UploadError``."""
        ended = self._ended.wait(timeout)
        if self._error is not None:
            raise self._error
        return ended

    def end(self, error: UploadError | None = None) -> None:
        """The server has it, or will never; for the agent, on the reactor's thread."""
        self.content = b""
        self._error = error
        self._ended.set()
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)


def _guess(path: Path | None) -> str:
    return (mimetypes.guess_type(path)[0] if path else None) or "application/octet-stream"


def _name_for(media_type: str) -> str:
    """What content without a name is called: ``photo.jpg``, ``file.bin``."""
    kind = "photo" if media_type.startswith("image/") else "file"
    return kind + (mimetypes.guess_extension(media_type) or ".bin")
