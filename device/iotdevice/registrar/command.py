"""``iotdevice registrar``: the menu and its subcommands, each in a reactor's run of its own."""

from __future__ import annotations

import getpass
import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.packets import (
    HEARTBEAT_CODE,
    WHERE_CODE,
    Data,
    Deregister,
    Login,
    Logoff,
    Packet,
    Query,
    Register,
)
from iotdevice.registrar import trust
from iotdevice.registrar.addresses import own_ip, own_mac
from iotdevice.registrar.answers import Answer, BadAnswer, Outcome
from iotdevice.registrar.arguments import MENU, WITH_PASSWORD
from iotdevice.registrar.client import Client
from iotdevice.registrar.console import Console
from iotdevice.registrar.menu import Menu, Place
from iotdevice.registrar.peer_port import PeerPort
from iotdevice.registrar.peers import Peers
from iotdevice.registrar.ways import DatagramWay, NoAnswer, StreamWay, Way
from iotdevice.running import run_with_reactor

MAX_PASSWORD = 1024
"""Characters of a line that are read as a password."""


class NotDone(Exception):
    """The command cannot do what it is asked for; the text is all that the user needs to read."""


def run(given: Namespace) -> int:
    """Carry out one command; the exit status. Raises ``NotDone``."""
    try:
        password = _password(given.password_stdin) if given.command in WITH_PASSWORD else ""
        return run_with_reactor(lambda reactor: _Command(reactor, given, password).run())
    except (trust.BadTrust, WireError, NoAnswer, BadAnswer) as error:
        raise NotDone(str(error)) from None


class _Command:
    def __init__(self, reactor: Any, given: Namespace, password: str) -> None:
        self._reactor = reactor
        self._given = given
        self._password = password
        self._way = _way(reactor, given)
        self._tell: Callable[[str], None] = _say
        self._client = Client(reactor, time.time, self._way, given.device_id, lambda line: self._tell(line))
        self._place = Place(given.device_id, getattr(given, "ip", None) or own_ip(given.host), given.device_port)

    async def run(self) -> int:
        if self._given.command == MENU:
            return await self._menu()
        if self._given.command == "listen":
            return await self._listen()
        answer = await self._answer()
        print(_as_json(answer) if self._given.json else answer.line())
        return answer.outcome

    async def _menu(self) -> int:
        console = Console(self._reactor)
        self._tell = console.tell
        port = self._open(self._place.port)
        given, place = self._given, self._place
        print(f"{given.device_id}, which other devices find at {place.ip}:{place.port} (UDP),")
        print(f"and its center at {given.host}:{given.port} over {self._way.name}")
        with self._until_gone(console.close):
            await Menu(console, self._client, port.protocol, place).run()
            console.close()
            await self._leave()
            await port.stopListening()
        return Outcome.DONE

    async def _listen(self) -> int:
        port = self._open(self._place.port)
        answer = await self._client.ask(self._login())
        _say(answer.line())
        if answer.outcome is not Outcome.DONE:
            return answer.outcome
        stopped: Deferred[None] = Deferred()
        with self._until_gone(lambda: stopped.callback(None)):
            await stopped
            await self._leave()
            await port.stopListening()
        return Outcome.DONE

    @contextmanager
    def _until_gone(self, stop: Callable[[], object]) -> Iterator[None]:
        """Have ``stop`` called when the program is to end, which then waits until this is left."""
        gone: Deferred[None] = Deferred()
        stopping = False

        def end() -> Deferred[None]:
            nonlocal stopping
            stopping = True
            stop()
            return gone

        trigger = self._reactor.addSystemEventTrigger("before", "shutdown", end)
        try:
            yield
        finally:
            gone.callback(None)
            if not stopping:
                self._reactor.removeSystemEventTrigger(trigger)

    async def _leave(self) -> None:
        try:
            answer = await self._client.leave()
        except (NoAnswer, BadAnswer) as error:
            _say(f"Not logged off: {error}")
            return
        if answer is not None:
            _say(answer.line())

    async def _answer(self) -> Answer:
        given, client = self._given, self._client
        match given.command:
            case "status":
                return await client.live()
            case "query-server":
                return await client.find(given.target)
            case "query-client":
                return await self._ask_peer(
                    given.target, Query(given.device_id, WHERE_CODE, client.now(), given.target)
                )
            case "send" if given.to is not None:
                return await self._ask_peer(
                    given.to, Data(given.device_id, HEARTBEAT_CODE, client.now(), given.message)
                )
            case "send":
                return await client.send(given.message)
            case _:
                return await client.ask(self._packet())

    def _packet(self) -> Packet:
        given, place = self._given, self._place
        if given.command == "logoff":
            return Logoff(given.device_id)
        if given.command == "login":
            return self._login()
        kind = Register if given.command == "register" else Deregister
        mac = given.mac or own_mac(place.ip)
        if not mac:
            raise NoAnswer("this machine's MAC address cannot be found: give it with --mac")
        return kind(given.device_id, self._password, mac, place.ip, place.port)

    def _login(self) -> Login:
        return Login(self._given.device_id, self._password, self._place.ip, self._place.port)

    async def _ask_peer(self, target: str, packet: Packet) -> Answer:
        """Find ``target`` by the center, and ask it itself: from any port, since ``listen`` may have ours."""
        found = await self._client.find(target)
        if found.address is None:
            return found
        port = self._open(0, lambda _: None)
        try:
            answer: Answer = await port.protocol.ask(packet, found.address)
            return answer
        finally:
            await port.stopListening()

    def _open(self, number: int, tell: Callable[[str], None] | None = None) -> Any:
        peers = Peers(self._place.device_id, self._place.ip, self._place.port)
        protocol = PeerPort(self._reactor, time.time, peers, tell or (lambda line: self._tell(line)))
        try:
            return self._reactor.listenUDP(number, protocol, interface="::" if ":" in self._place.ip else "")
        except CannotListenError as error:
            raise NoAnswer(f"UDP port {number} cannot be opened: {error.socketError.strerror}") from None


def _way(reactor: Any, given: Namespace) -> Way:
    if given.plain == "udp":
        return DatagramWay(reactor, given.host, given.port)
    if given.plain == "tcp":
        return StreamWay(reactor, given.host, given.port, None)
    if given.root is not None:
        expected = trust.read_root(given.root)
    elif given.fingerprint is not None:
        expected = trust.read_fingerprint(given.fingerprint)
    else:
        raise trust.BadTrust(trust.NONE_GIVEN)
    return StreamWay(reactor, given.host, given.port, expected)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        line = sys.stdin.readline(MAX_PASSWORD).removesuffix("\n")
        if not line:
            raise NotDone("no password came on standard input")
        return line
    if not sys.stdin.isatty():
        raise NotDone("there is no terminal to ask for the password on: give it with --password-stdin")
    return getpass.getpass("Password: ")


def _as_json(answer: Answer) -> str:
    outcome = answer.outcome.name.lower()
    return json.dumps({"code": answer.code, "outcome": outcome, "meaning": answer.meaning, "message": answer.message})


def _say(line: str) -> None:
    print(line, flush=True)
