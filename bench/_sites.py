"""Servers with devices that are known to them, for the benchmark of the way in, and the process that plays these."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from _load import Found, Order
from _population import Population, enroll
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from cryptography.x509 import load_der_x509_certificate

from iotcenter.identity.authority import Authority
from iotcenter.interfaces import PrivateKey
from tests.daemons import ServerProcess
from tests.processes import Program, until

MERGED_WITHIN = 600.0
"""Seconds in which a backlog has to be merged."""


class Site:
    """A server's data directory and, in ``certificates``, what it and its devices show."""

    def __init__(self, reactor: Any, folder: Path, settings: str = "") -> None:
        self._reactor = reactor
        self.folder = folder
        self.certificates = folder / "certificates"
        self.certificates.mkdir(parents=True)
        file = folder / "iotcenter.toml"
        file.write_text(settings)
        self.server = ServerProcess(reactor, folder / "data", f"--config={file}")

    async def start(self, devices: int) -> None:
        """Enroll so many devices, and start the server."""
        file = self.folder / "population"
        await enroll(self._reactor, self.server.directory, devices, file)
        population = msgspec.msgpack.decode(file.read_bytes(), type=Population)
        key: Any = load_der_private_key(population.key, None)
        for number, certificate in enumerate(population.certificates):
            _write(self.certificates / f"device-{number}.pem", [load_der_x509_certificate(certificate)], key)
        authority = Authority.open(self.server.directory, self._reactor.seconds)
        credentials = authority.server_credentials()
        _write(self.certificates / "server.pem", credentials.chain, credentials.key)
        _write(self.certificates / "root.pem", [authority.root])
        await self.server.start()

    def devices(self, **order: Any) -> Devices:
        """Have its devices do something. See ``Order``."""
        place = {"folder": str(self.certificates), "port": self.server.tls, "pids": [self.pid]}
        return Devices(self._reactor, Order(**{**place, **order}))

    @property
    def pid(self) -> int:
        """The server's."""
        return self.server.program.pid

    async def merged(self) -> int:
        """How many readings are in the tables by now."""
        return sum(device["account"]["received"] for device in (await self.server.devices()).values())

    async def all_merged(self, readings: int) -> float:
        """Wait until so many readings are in the tables; the answer is how many seconds that took."""
        began = self._reactor.seconds()

        async def settled() -> bool:
            return await self.merged() >= readings

        await until(self._reactor, settled, f"{readings} readings were not merged", MERGED_WITHIN, every=0.2)
        return float(self._reactor.seconds() - began)


class Devices:
    """The process that plays devices as it is ordered to."""

    def __init__(self, reactor: Any, order: Order) -> None:
        self._order = order
        self._program = Program(reactor, [sys.executable, str(Path(__file__).with_name("_load.py"))])
        self._program.write(msgspec.json.encode(order))

    async def over(self) -> None:
        """Done when the time is up."""
        await self._program.until("over\n", self._order.seconds + 60.0)

    @property
    def acknowledged(self) -> int:
        """How many reports were acknowledged when it last said so."""
        words = self._program.output.split()
        return int(words[-1]) if words and words[-1].isdigit() else 0

    async def found(self) -> Found:
        """What came of it."""
        if await self._program.outcome():
            raise SystemExit(f"the devices failed: {self._program.errors}")
        return msgspec.json.decode(self._program.output.splitlines()[-1], type=Found)


def _write(file: Path, chain: Any, key: PrivateKey | None = None) -> None:
    text = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
    if key is not None:
        text += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(text)
