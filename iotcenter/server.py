"""All parts of a server on one data directory: opened in order, closed in reverse."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from twisted.application.service import IService
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from iotcenter.backup.schedule import Schedule
from iotcenter.banner import Opened
from iotcenter.center.center import Center
from iotcenter.center.tunnels import Limits
from iotcenter.clock import Clock
from iotcenter.config import Config, FileSettings
from iotcenter.config import WebSettings as WebTable
from iotcenter.gateway.doors import listen_with
from iotcenter.gateway.gateway import Gateway
from iotcenter.identity.accounts import Accounts
from iotcenter.identity.authority import Authority
from iotcenter.identity.enrollment import Enrollments
from iotcenter.identity.machine import machine_names, name_of
from iotcenter.identity.passwords import Passwords
from iotcenter.identity.registrations import Registrations
from iotcenter.identity.resets import ResetLinks
from iotcenter.identity.sessions import Sessions
from iotcenter.identity.setup import SetupLink
from iotcenter.identity.ssh_keys import SshKeys
from iotcenter.identity.tokens import ApiTokens
from iotcenter.identity.users import Users
from iotcenter.identity.web_certificate import WebCertificate
from iotcenter.interfaces import House
from iotcenter.listening import OFF, ControlSocket, Held, Listener, endpoint_string
from iotcenter.storage.file_rows import FileLimits
from iotcenter.storage.lock import DataLock
from iotcenter.storage.retention import Keep
from iotcenter.storage.store import FILE, Store
from iotcenter.web.addresses import Addresses
from iotcenter.web.assets import Assets
from iotcenter.web.doors import Door
from iotcenter.web.https import web_contexts
from iotcenter.web.parts import Parts, Ports
from iotcenter.web.site import BoundedSite, make_serving
from iotcenter.web.streams import Streams


class Server:
    """A server on one data directory, which it holds alone.

    ``open`` does all that blocks and all that can fail for the operator's reasons: it reads settings, makes keys,
    brings the database up to date and opens the ports, on which nobody is let in yet. ``begin`` loads what is kept, and
    lets everybody in.
    """

    def __init__(
        self, reactor: Any, directory: Path, config: Config, transports: Mapping[str, Any], lock: DataLock
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._directory = directory
        self._lock = lock
        self._created = not (directory / FILE).exists()
        self._listeners: list[IService] = []
        self._store = Store(directory, reactor, config.storage.commit_every)
        self._store.open()
        self._clock = Clock(reactor, self._store.last_written)
        self._authority = Authority.open(directory, self._clock.seconds)
        self._accounts = Accounts(self._store, self._authority, self._clock.seconds)
        passwords = Passwords(reactor)
        self._users = Users(self._store, self._clock, passwords)
        self._registrations = Registrations(self._store, self._accounts, passwords, self._clock.seconds)
        self._setup_link = SetupLink(self._store, self._users, self._clock.seconds)
        self._reset_links = ResetLinks(self._store, self._users, self._clock.seconds)
        self._web_certificate = _web_certificate(directory, self._authority, config.web, self._clock)
        limits = Limits(config.ssh.idle, config.ssh.life)
        self._center = Center(self._store, self._accounts, self._clock, limits, _file_limits(config.files))
        self._ssh_keys = SshKeys(self._store, self._clock.seconds)
        self._users.changed = self._user_changed
        self._center.open_ports.listen = listen_with(reactor)
        self._gateway = self._make_gateway()
        self._transports = self._make_transports(transports)
        self._schedule = Schedule(reactor, self._clock, directory, config.backup, config.file)
        self._parts = self._make_parts()
        self._serving = make_serving(self._parts)

    @classmethod
    def open(
        cls, reactor: Any, directory: Path, lock: DataLock, config: Config, transports: Mapping[str, Any]
    ) -> Server:
        """A server whose ports are open, on a directory that its caller has locked.

        Raises ``StorageError``, ``IdentityError`` or ``CannotOpen`` with one line.
        """
        server = cls(reactor, directory, config, transports, lock)
        server._open_ports()
        return server

    async def begin(self) -> Opened:
        """Load what is kept and let everybody in; what comes back is to be told to whoever started the server."""
        await self._accounts.load()
        await self._center.load()
        self._center.start()
        keep = self._config.storage
        self._store.start(Keep(keep.keep_raw, keep.keep_minutes, keep.keep_hours, keep.keep_days), self._clock.seconds)
        for listener in self._listeners:
            if isinstance(listener, Held):
                listener.take()
            else:
                listener.startService()
        self._schedule.startService()
        return await self._opened()

    async def close(self) -> None:
        """Close the ports, end every connection, finish what is to be written, and let go of the data directory."""
        self._parts.streams.stop()
        await self._schedule.stopService()
        for listener in reversed(self._listeners):
            await maybeDeferred(listener.stopService)
        self._center.stop()
        self._users.close()
        await self._store.close()
        self._lock.release()

    def _make_transports(self, transports: Mapping[str, Any]) -> dict[str, IService]:
        log = Logger(namespace="iotcenter")
        house = House(
            self._reactor,
            self._clock,
            self._center,
            self._authority,
            self._accounts,
            log,
            registrations=self._registrations,
        )
        on: dict[str, Struct] = {name: table for name, table in self._config.transports.items() if _is_on(table)}
        return {name: transports[name].makeService(settings, house) for name, settings in on.items()}

    def _user_changed(self, name: str) -> None:
        """Somebody has another role, or is gone: what they held open is looked at again, or closed."""
        self._ssh_keys.changed(name)
        self._center.open_ports.dismiss(name)

    def _make_gateway(self) -> Gateway | None:
        listen = self._config.ssh.listen
        if listen == OFF:
            return None
        return Gateway(self._reactor, self._directory, listen, self._ssh_keys, self._center.tunnels)

    def _make_parts(self) -> Parts:
        assets = Assets.load()
        return Parts(
            reactor=self._reactor,
            clock=self._clock,
            center=self._center,
            store=self._store,
            authority=self._authority,
            accounts=self._accounts,
            enrollments=Enrollments(self._store, self._authority, self._clock.seconds),
            registrations=self._registrations,
            users=self._users,
            sessions=Sessions(self._store, self._clock.seconds),
            tokens=ApiTokens(self._store, self._clock.seconds),
            ssh_keys=self._ssh_keys,
            setup_link=self._setup_link,
            reset_links=self._reset_links,
            web_certificate=self._web_certificate,
            assets=assets,
            streams=Streams(self._reactor, self._center.subscribers, self._center.devices, assets.build),
            ports=Ports(),
            names=self._config.web.names,
            configuration=str(self._config.file or ""),
            config=self._config,
            backup_state=lambda: self._schedule.state,
            backup_times=lambda: (self._schedule.last, self._schedule.due),
        )

    def _open_ports(self) -> None:
        ports = self._parts.ports
        for name, transport in self._transports.items():
            self._open(transport)
            ports.transports.update(_addresses(name, transport))
        if self._gateway is not None:
            self._open(self._gateway)
            ports.ssh = self._gateway.address
            ports.ssh_key = self._gateway.key
        secured = TLSMemoryBIOFactory(web_contexts(self._web_certificate), False, self._site(Door.HTTPS), self._reactor)
        ports.https = self._open_web(self._config.web.https, "", secured, "the web over HTTPS")
        ports.http = self._open_web(self._config.web.http, "127.0.0.1", self._site(Door.HTTP), "the web over HTTP")
        self._open(ControlSocket(self._reactor, self._directory / "control.sock", self._site(Door.CONTROL)))

    def _open_web(self, listen: str, interface: str, factory: IProtocolFactory, what: str) -> tuple[str, int] | None:
        if listen == OFF:
            return None
        listener = Listener(self._reactor, endpoint_string(listen, interface), factory, what)
        self._open(listener)
        return listener.address

    def _open(self, listener: IService) -> None:
        if isinstance(listener, Held):
            listener.startService()
            listener.hold()
        self._listeners.append(listener)

    def _site(self, door: Door) -> IProtocolFactory:
        site: IProtocolFactory = BoundedSite(self._serving, door, self._reactor)
        return site

    async def _opened(self) -> Opened:
        urls = self._urls()
        own = self._parts.ports.https is not None and self._web_certificate.own
        return Opened(
            directory=self._directory,
            created=self._created,
            urls=urls,
            transports=[(name, port) for name, (_, port) in self._parts.ports.transports.items()],
            ssh=self._gateway.port if self._gateway is not None else 0,
            fingerprint=self._web_certificate.fingerprint() if own else "",
            users=await self._users.count(),
            setup=f"{urls[0]}/setup?t={await self._setup_link.issue()}" if self._created and urls else None,
        )

    def _urls(self) -> list[str]:
        """Where the web is: for everybody, and for this machine."""
        ports = self._parts.ports
        urls = [Addresses(self._parts).web()] if ports.https or ports.http else []
        if ports.https and ports.http:
            urls.append(_local_url(*ports.http))
        return urls


def _is_on(settings: Struct) -> bool:
    return bool(getattr(settings, "on", getattr(settings, "listen", OFF) != OFF))


def _file_limits(table: FileSettings) -> FileLimits:
    size, each, total = table.megabytes, table.keep_megabytes, table.total_megabytes
    return FileLimits(round(size * 1e6), table.keep, round(each * 1e6), round(total * 1e6))


def _addresses(name: str, service: IService) -> dict[str, tuple[str, int]]:
    """Where a transport is open: ``addresses`` of its service by their names, or the one ``address`` by its own."""
    address: tuple[str, int] | None = getattr(service, "address", None)
    addresses: dict[str, tuple[str, int]] = getattr(service, "addresses", {} if address is None else {name: address})
    return addresses


def _local_url(interface: str, port: int) -> str:
    """Where this machine itself finds HTTP that listens on ``interface``."""
    host = "127.0.0.1" if interface in ("", "0.0.0.0", "::") else interface
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _web_certificate(directory: Path, authority: Authority, table: WebTable, clock: Clock) -> WebCertificate:
    files = (Path(table.certificate), Path(table.key)) if table.certificate else None
    configured = {name_of(name) for name in table.names}
    return WebCertificate.open(directory, authority, clock.seconds, files, lambda: machine_names() | configured)
