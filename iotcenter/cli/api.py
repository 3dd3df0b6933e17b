"""The JSON API as the command line speaks it: over the control socket in the data directory."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from iotcenter.cli.errors import CommandError, NoServer, Refused

SOCKET = "control.sock"

MAX_SOCKET_PATH = 107
"""Bytes in the path of a Unix socket, as Linux has it."""

PATIENCE = 30.0
"""Seconds that an answer may take beyond those that the server was asked to wait: a small board hashes slowly."""

PIECE = 64 * 1024
"""Bytes of a long answer that are in memory at a time."""

WAIT_STEP = 0.05
"""Seconds between two looks for a server that is just starting: far less than that takes, and next to no load."""


@dataclass(frozen=True)
class Request:
    """What is asked of the server. ``waiting`` is how many seconds it is asked to wait for something itself."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    waiting: float = 0.0

    @property
    def target(self) -> str:
        """What HTTP asks for. Each segment of the path is quoted; what is None in the query is left out."""
        path = "/".join(quote(segment, safe="") for segment in self.path)
        query = urlencode({name: value for name, value in self.query.items() if value is not None})
        return f"/api/v1/{path}?{query}" if query else f"/api/v1/{path}"


class Api:
    """The server that runs on a data directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, *path: str, **query: object) -> Any:
        """Ask for something."""
        return self._ask(Request("GET", path, query))

    def post(self, *path: str, body: Mapping[str, object] | None = None, waiting: float = 0.0) -> Any:
        """Make or do something."""
        return self._ask(Request("POST", path, body=body or {}, waiting=waiting))

    def patch(self, *path: str, body: Mapping[str, object]) -> Any:
        """Change something."""
        return self._ask(Request("PATCH", path, body=body))

    def delete(self, *path: str, **query: object) -> Any:
        """Remove something."""
        return self._ask(Request("DELETE", path, query))

    def pieces(self, *path: str, **query: object) -> Iterator[bytes]:
        """A long answer, piece by piece."""
        with self._answer(Request("GET", path, query)) as answer:
            while piece := answer.read(PIECE):
                yield piece

    def wait(self, seconds: float) -> None:
        """Return once a server listens. Raises ``NoServer`` where none does after ``seconds``."""
        end = time.monotonic() + seconds
        while True:
            try:
                _connect(self.directory).close()
                return
            except NoServer:
                if time.monotonic() >= end:
                    raise
                time.sleep(WAIT_STEP)

    def _ask(self, request: Request) -> Any:
        with self._answer(request) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    @contextmanager
    def _answer(self, request: Request) -> Iterator[http.client.HTTPResponse]:
        """The answer to a request. Raises ``CommandError``, with what the server says where that is an error."""
        connection = _Connection(self.directory, PATIENCE + request.waiting)
        body = None if request.body is None else json.dumps(request.body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(request.method, request.target, body, headers)
            answer = connection.getresponse()
            if answer.status >= 400:
                words = _what_it_says(answer)
                raise Refused(words, answer.status) if answer.status < 500 else CommandError(words)
            yield answer
        except (OSError, http.client.HTTPException) as error:
            raise CommandError(f"the server did not answer: {error or type(error).__name__}") from None
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, directory: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._directory = directory

    def connect(self) -> None:
        """Open the socket. Raises ``NoServer``, or ``CommandError`` where it belongs to somebody else."""
        self.sock = _connect(self._directory)
        self.sock.settimeout(self.timeout)


def _connect(directory: Path) -> socket.socket:
    """A connection to the control socket in ``directory``, however long its path is."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        if len(os.fsencode(directory / SOCKET)) <= MAX_SOCKET_PATH:
            connection.connect(str(directory / SOCKET))
        else:
            _connect_from_inside(connection, directory)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        connection.close()
        start = f"twistd -n iotcenter --data {directory}"
        raise NoServer(f"No server is running on {directory}; start it with: {start}") from None
    except PermissionError:
        connection.close()
        raise CommandError(f"{directory} belongs to another user: run this as the one who runs the server") from None
    return connection


def _connect_from_inside(connection: socket.socket, directory: Path) -> None:
    """Reach the socket by way of the open directory, whose name in /proc is short."""
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{SOCKET}")
    finally:
        os.close(folder)


def _what_it_says(answer: http.client.HTTPResponse) -> str:
    """The message in an answer that is an error."""
    try:
        return str(json.loads(answer.read(PIECE))["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered with {answer.status} {answer.reason}"
