"""A server that the command line can talk to: a real socket, real HTTP, and answers that a test wrote down."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from socketserver import UnixStreamServer
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.cli import run

UNKNOWN = (404, {"error": {"code": "none", "message": "there is no such thing"}})


@dataclass
class Script:
    """What the server answers to ``METHOD /path``, and what it was asked."""

    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def answer(self, request: str, body: Any) -> tuple[int, bytes]:
        """The status and the body for a request; bytes are given as they are, everything else as JSON."""
        self.asked.append((request, body))
        status, content = self.answers.get(request, UNKNOWN)
        return status, content if isinstance(content, bytes) else json.dumps(content).encode()


def serve(directory: Path, script: Script) -> Callable[[], None]:
    """Serve on the control socket in ``directory``, in a thread; returns what stops it."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = script.answer(f"{self.command} {self.path}", json.loads(body) if body else None)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if content:
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with chdir(directory):  # a relative path is short enough for a socket, however deep the directory lies
        server = UnixStreamServer("control.sock", Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


class Output(TextIOWrapper):
    """Standard output that remembers, and may say that it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__(BytesIO(), encoding="utf-8", write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        """What the test wants it to be."""
        return self._terminal

    def text(self) -> str:
        """All that was printed."""
        self.seek(0)
        return self.read()


class Keyboard(StringIO):
    """Standard input with somebody in front of it."""

    def isatty(self) -> bool:
        """There is."""
        return True


class CommandLineCase(SynchronousTestCase):
    """Runs command lines against a server with a script."""

    def setUp(self) -> None:
        self.directory = Path(mkdtemp(prefix="iotcenter-cli-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.script = Script()
        self.error = ""

    def start(self, directory: Path | None = None) -> None:
        """Start the server."""
        self.addCleanup(serve(directory or self.directory, self.script))

    def answers(self, request: str, content: Any, status: int = 200) -> None:
        """Have the server answer ``request`` so."""
        self.script.answers[request] = (status, content)

    def line(self, *words: str, status: int = 0, typed: StringIO | None = None, terminal: bool = False) -> str:
        """What a command line prints until it ends with ``status``; what it says on standard error is in ``error``."""
        output, errors = Output(terminal), StringIO()
        self.patch(sys, "stdin", typed or StringIO())
        with redirect_stdout(output), redirect_stderr(errors):
            try:
                found = run(["--data", str(self.directory), *words], {})
            except SystemExit as end:
                found = int(end.code or 0)
        self.error = errors.getvalue()
        self.assertEqual(found, status, self.error)
        return output.text()
