"""The interactive menu."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.packets import WHERE_CODE, Deregister, Login, Logoff, Query, Register
from iotdevice.registrar.addresses import own_mac
from iotdevice.registrar.answers import Answer, BadAnswer
from iotdevice.registrar.client import Client
from iotdevice.registrar.console import Console, EndOfInput
from iotdevice.registrar.peer_port import PeerPort
from iotdevice.registrar.ways import NoAnswer

ITEMS = """
(1) Register
(2) De-Register
(3) Login
(4) Logoff
(5) Query Server
(6) Query Client
(7) Exit"""

EXIT = "7"


class Place(Struct, frozen=True):
    """What this device is called, and where its peers find it: what the questions offer as their answers."""

    device_id: str
    ip: str
    port: int


class Menu:
    """Asks what to do, does it, and says what came of it, until the person has enough."""

    def __init__(self, console: Console, client: Client, peers: PeerPort, place: Place) -> None:
        self._console = console
        self._client = client
        self._peers = peers
        self._place = place
        self._known: dict[str, tuple[str, int]] = {}
        """Where the center said that others are."""
        self._choices: dict[str, Callable[[], Awaitable[Answer]]] = {
            "1": self._register,
            "2": self._deregister,
            "3": self._log_in,
            "4": self._log_off,
            "5": self._query_server,
            "6": self._query_client,
        }

    async def run(self) -> None:
        """Until Exit, or the end of input."""
        try:
            while True:
                print(ITEMS)
                choice = await self._console.ask("Choice")
                if choice == EXIT:
                    return
                await self._do(choice)
        except EndOfInput:
            print()

    async def _do(self, choice: str) -> None:
        action = self._choices.get(choice)
        if action is None:
            print("Choose one of 1 to 7.")
            return
        try:
            print((await action()).line())
        except (WireError, NoAnswer, BadAnswer) as error:
            print(f"Not done: {error}.")

    async def _register(self) -> Answer:
        return await self._client.ask(Register(*await self._account()))

    async def _deregister(self) -> Answer:
        return await self._client.ask(Deregister(*await self._account()))

    async def _log_in(self) -> Answer:
        ip, port = await self._ip(), await self._port()
        device_id, password = await self._device_id(), await self._console.ask_secret("Password")
        return await self._client.ask(Login(device_id, password, ip, port))

    async def _log_off(self) -> Answer:
        return await self._client.ask(Logoff(await self._device_id()))

    async def _query_server(self) -> Answer:
        target = await self._console.ask("Which device-id")
        answer = await self._client.find(target)
        if answer.address is not None:
            self._known[target] = answer.address
        return answer

    async def _query_client(self) -> Answer:
        target = await self._console.ask("Which device-id")
        address = self._known.get(target)
        if address is None:
            found = await self._client.find(target)
            if found.address is None:
                return found
            address = self._known[target] = found.address
        packet = Query(self._client.device_id, WHERE_CODE, self._client.now(), target)
        return await self._peers.ask(packet, address)

    async def _account(self) -> tuple[str, str, str, str, int]:
        mac = await self._console.ask("MAC", own_mac(self._place.ip))
        ip, port = await self._ip(), await self._port()
        device_id = await self._device_id()
        return device_id, await self._console.ask_secret("Password"), mac, ip, port

    async def _ip(self) -> str:
        return await self._console.ask("IP", self._place.ip)

    async def _port(self) -> int:
        text = await self._console.ask("Port", str(self._place.port))
        if not text.isdecimal():
            raise WireError("a port is a number from 1 to 65535")
        return int(text)

    async def _device_id(self) -> str:
        return await self._console.ask("Device-id", self._place.device_id)
