"""A small camera: Motion JPEG over HTTP on a port of loopback, as ustreamer and others serve it."""

from __future__ import annotations

import base64
from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

PICTURE = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19i"
    "Z2hnPk1xeXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj"
    "Y2NjY2NjY2P/wAARCAAMABADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QA"
    "FQEBAQAAAAAAAAAAAAAAAAAABQb/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCKALXj/9k="
)
"""A red rectangle."""

EVERY = 0.05
"""Seconds between two pictures."""


class Shot(Protocol):
    """One who is shown what the camera sees."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._asked = b""
        self._showing = LoopingCall(self._show)

    def dataReceived(self, data: bytes) -> None:
        """What is asked for is shown, whatever it is."""
        self._asked += data
        if b"\r\n\r\n" not in self._asked or self._showing.running:
            return
        self._camera.asked.append(self._asked.partition(b"\r\n")[0])
        self._camera.watching += 1
        self._write(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=picture\r\n\r\n")
        self._showing.start(EVERY)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nobody looks any more."""
        if self._showing.running:
            self._showing.stop()
            self._camera.watching -= 1

    def _show(self) -> None:
        picture = self._camera.picture
        head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
        self._write(head.encode() + picture + b"\r\n")

    def _write(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(data)


class Camera:
    """Shows ``picture`` to whoever asks: ``watching`` of them now; ``asked`` has the first line of each request."""

    def __init__(self, reactor: Any) -> None:
        self.picture = PICTURE
        self.watching = 0
        self.asked: list[bytes] = []
        factory = Factory.forProtocol(lambda: Shot(self))
        factory.noisy = False
        self._port: IListeningPort = reactor.listenTCP(0, factory, interface="127.0.0.1")

    @property
    def port(self) -> int:
        """Where it is."""
        return int(self._port.getHost().port)  # type: ignore[attr-defined]

    def stop(self) -> Any:
        """Show nothing more to anybody new."""
        return self._port.stopListening()
