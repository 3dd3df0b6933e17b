"""Ports: how they are written, opened, held and closed."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from iotcenter.listening import BadAddress, CannotOpen, ControlSocket, Listener, endpoint_string, plain_address


class AddressTests(SynchronousTestCase):
    """What people write, and what Twisted reads."""

    def test_forms(self) -> None:
        """PORT, HOST:PORT, and endpoint strings."""
        cases = {
            "127.0.0.1:80": "tcp:80:interface=127.0.0.1:backlog=4096",
            "localhost:80": "tcp:80:interface=localhost:backlog=4096",
            "[::1]:80": r"tcp6:80:interface=\:\:1:backlog=4096",
            " tcp:80 ": "tcp:80",
            "tcp:80:interface=192.0.2.1": "tcp:80:interface=192.0.2.1",
            "unix:/run/x.sock": "unix:/run/x.sock",
        }
        for text, expected in cases.items():
            self.assertEqual(endpoint_string(text), expected)
        self.assertEqual(endpoint_string("80", "127.0.0.1"), "tcp:80:interface=127.0.0.1:backlog=4096")

    def test_mistakes(self) -> None:
        """Anything else is refused in words."""
        for text in ("", "off it is", "host", "65536", "1.2.3.4:", ":80", "-1"):
            with self.subTest(text):
                self.assertRaises(BadAddress, endpoint_string, text)

    def test_plain_address(self) -> None:
        """IPv4 is shown as such, by whichever socket it came in."""
        self.assertEqual(
            [plain_address("::ffff:192.0.2.7"), plain_address("2001:db8::1")], ["192.0.2.7", "2001:db8::1"]
        )


class Greeter(Protocol):
    """Says hello."""

    def connectionMade(self) -> None:
        """Say it."""
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class Listening(Protocol):
    """Hears what is said."""

    def __init__(self) -> None:
        self.heard: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Something was said."""
        self.heard.callback(data)


class ListenerTests(TestCase):
    """Real ports."""

    def setUp(self) -> None:
        """Nothing is open yet."""
        from twisted.internet import reactor

        self.reactor: Any = reactor

    def listener(self, endpoint: str) -> Listener:
        """A listener whose callers are greeted."""
        return Listener(self.reactor, endpoint, Factory.forProtocol(Greeter), "the greeter")

    async def test_whoever_is_held_gets_in_later(self) -> None:
        """A port is ours before it takes anybody in, and nobody who knocked meanwhile is lost."""
        listener = self.listener("tcp:0:interface=127.0.0.1")
        listener.startService()
        listener.hold()
        client = await connectProtocol(HostnameEndpoint(self.reactor, b"127.0.0.1", listener.port), Listening())
        self.assertNoResult(client.heard)
        listener.take()
        self.assertEqual(await client.heard, b"hello")
        self.assertEqual(listener.address, ("127.0.0.1", listener.port))
        await listener.stopService()
        self.assertIsNone(listener.address)

    def test_a_port_that_is_taken(self) -> None:
        """It is named, with whose it was to be."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            listener = self.listener(f"tcp:{port}:interface=127.0.0.1")
            with self.assertRaises(CannotOpen) as caught:
                listener.startService()
        self.assertEqual(
            str(caught.exception), f"the greeter: cannot listen on 127.0.0.1:{port}: Address already in use"
        )

    def test_an_endpoint_that_does_not_exist(self) -> None:
        """Twisted's own complaint is passed on in one line."""
        with self.assertRaises(CannotOpen) as caught:
            self.listener("carrier-pigeon:1").startService()
        self.assertIn("carrier-pigeon", str(caught.exception))

    async def test_a_socket_deep_down(self) -> None:
        """A Unix socket works in a directory whose path is far longer than a socket's may be, for its owner alone."""
        directory = Path(self.mktemp()).absolute().joinpath(*["a-long-name-for-a-directory"] * 8)
        directory.mkdir(parents=True)
        path = directory / "control.sock"
        path.touch()
        control = ControlSocket(self.reactor, path, Factory.forProtocol(Greeter))
        control.startService()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        here = Path(self.mktemp())
        here.symlink_to(directory)
        endpoint = UNIXClientEndpoint(self.reactor, str(here / "control.sock"))
        client = await connectProtocol(endpoint, Listening())
        self.assertEqual(await client.heard, b"hello")
        await control.stopService()
        self.assertFalse(path.exists())
