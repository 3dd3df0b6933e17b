"""The agent, put together: the one place that knows all its parts."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from iotcenter.model import LogLevel, SshOffer, VideoOffer
from iotcenter.wire.messages import Ack, Busy, Command, FileAck, Hello, Tunnel, Welcome
from iotdevice import spool
from iotdevice.app import App
from iotdevice.application import Application
from iotdevice.clock import Clock, machine_boot
from iotdevice.commands import Commands
from iotdevice.config import Address, Settings, SshSettings, VideoSettings
from iotdevice.connection import Connection, Dial, Talk, over_tls
from iotdevice.credentials import Credentials
from iotdevice.devicelog import DeviceLog
from iotdevice.greeter import Greeter
from iotdevice.health import Health
from iotdevice.host_keys import host_keys
from iotdevice.loader import Loader
from iotdevice.lock import DataLock
from iotdevice.network import network_state
from iotdevice.outbox import Outbox
from iotdevice.pauses import Pauses
from iotdevice.renewal import Renewal
from iotdevice.stage import Stage
from iotdevice.timers import Timers
from iotdevice.tls import Handshakes, endpoint
from iotdevice.tunnels import Tunnels
from iotdevice.udp_link import over_udp
from iotdevice.upload_queue import UploadQueue
from iotdevice.uploads import Uploads
from iotdevice.version import AGENT
from iotdevice.workers import Workers

SENSOR_THREADS = 10
COMMAND_THREADS = 4
LOADING_THREADS = 4
"""How many functions of the application run at the same time; the threads are made when they are needed."""

UPLOADS = "uploads"
"""The folder in the data directory where files wait."""

UPLOADS_NEED_TLS = "uploads need TLS: this device's link goes over UDP"

APP_WITHIN = 10.0
"""Seconds that the first link waits for the application, so that commands that wait on the server find it there."""

COMMANDS_WITHIN = 2.0
THREADS_WITHIN = 1.0
DISK_WITHIN = 10.0
"""Seconds that a stopping agent gives to commands, to the application's threads, and to the disk."""


class Home(NamedTuple):
    """What an agent starts from: its locked data directory, and what it says. ``udp_key`` is set where the link goes
    over UDP."""

    directory: Path
    lock: DataLock
    settings: Settings
    credentials: Credentials
    app: Path
    udp_key: bytes | None = None


class Agent(Service):
    """Runs the application, and keeps the link to its server."""

    def __init__(self, home: Home, reactor: Any, clock: Clock) -> None:
        self._home = home
        self._reactor = reactor
        self._clock = clock

    def startService(self) -> None:
        """Open the spool, which takes a boot number, then start everything else."""
        super().startService()
        home, clock, reactor = self._home, self._clock, self._reactor
        home.lock.sign()
        self._sensors = Workers(reactor, "sensors", SENSOR_THREADS)
        self._disk = Workers(reactor, "disk", 1)
        self._timers = Timers(reactor)
        self._log = log = DeviceLog(clock)
        self._ssh = _ssh_offer(home.settings.ssh)
        self._spool = spool.Spool(
            home.directory / spool.FILE, home.credentials.device, home.settings.spool, self._spool_says
        )
        start = self._spool.start(machine_boot(), clock.wall(), clock.offset)
        self._name = start.name
        self._outbox = Outbox(self._spool, start, self._disk, clock, log, home.settings.spool)
        self._command_threads = Workers(reactor, "commands", COMMAND_THREADS)
        self._commands = Commands(self._spool, self._spool.commands(), self._disk, self._command_threads, reactor, log)
        self._copying = Workers(reactor, "uploads", 1)
        self._greeter = Greeter(self._hello, clock)
        self._outbox.losing = self._greeter.changed
        self._health = Health(self._fares)
        self._uploads = self._new_uploads()
        self._application: Application | None = None
        self._loading = Workers(reactor, "loading", LOADING_THREADS)
        self._loader = Loader(home.app, Stage(self._loading, clock, log, self._health))
        renewal = Renewal(home.directory, home.credentials, clock, log)
        self._tunnels = self._new_tunnels(renewal)
        self._uploads.start()
        self._connection = self._new_connection(renewal)
        self._timers.within(APP_WITHIN, self._connection.start)
        self._loader.start(self._loaded)

    def stopService(self) -> Deferred[None]:
        """Stop everything, from the application to the disk; what the server does not have yet is on disk then."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._timers.close()
        self._loader.stop()
        await self._commands.stop(COMMANDS_WITHIN)
        if self._application is not None:
            self._application.stop()
        self._tunnels.stop()
        self._uploads.stop()
        await self._connection.stop()
        await self._outbox.stop()
        await self._disk.run(self._spool.close)
        await self._disk.stop(DISK_WITHIN)
        await self._copying.stop(DISK_WITHIN)
        for threads in (self._sensors, self._command_threads, self._loading):
            await threads.stop(THREADS_WITHIN)
        self._home.lock.release()

    def _new_uploads(self) -> Uploads:
        return Uploads(
            UploadQueue(self._home.directory / UPLOADS, self._home.settings.uploads),
            Stage(self._copying, self._clock, self._log, self._health),
            self._reactor,
            lambda: self._outbox.behind,
            UPLOADS_NEED_TLS if self._home.udp_key is not None else "",
        )

    def _new_tunnels(self, renewal: Renewal) -> Tunnels:
        server = self._home.settings.tunnels
        return Tunnels(
            self._reactor,
            self._home.settings.ssh,
            lambda handshakes: endpoint(self._reactor, server, handshakes),
            lambda: Handshakes.for_tunnel(renewal.credentials, self._clock.wall()),
            self._log,
            (video.port,) if (video := self._home.settings.video).port else (),
        )

    def _new_connection(self, renewal: Renewal) -> Connection:
        server = self._home.settings.address
        talk = Talk(
            self._greeter.hello,
            [self._greeter, self._outbox, self._commands, self._log, self._uploads, self._tunnels],
            {
                Welcome: self._welcomed,
                Ack: self._outbox.acknowledged,
                Busy: self._outbox.busy,
                Command: self._commands.received,
                FileAck: self._uploads.acknowledged,
                Tunnel: self._tunnels.asked,
            },
        )
        return Connection(
            str(server),
            self._dial(server),
            self._clock,
            self._log,
            renewal,
            talk,
            Pauses(random.random),
            network_state,
        )

    def _dial(self, server: Address) -> Dial:
        if self._home.udp_key is not None:
            return over_udp(self._reactor, server, self._home.udp_key, self._greeter.hello)
        return over_tls(lambda handshakes: endpoint(self._reactor, server, handshakes), self._clock)

    def _loaded(self, app: App) -> None:
        self._application = Application(
            app,
            self._home.settings,
            self._reactor,
            Stage(self._sensors, self._clock, self._log, self._health),
            self._outbox,
            self._greeter.changed,
        )
        self._commands.serve(app)
        self._uploads.serve(app)
        self._application.start()
        self._fares()

    def _fares(self) -> None:
        """The application is there, or it is known why it is not: now there is something to tell the server."""
        self._connection.start()
        self._greeter.changed()

    def _hello(self) -> Hello:
        application = self._application
        return Hello(
            agent=AGENT,
            boot=self._outbox.boot,
            series=application.series if application else (),
            commands=application.commands if application else (),
            app=self._health.state,
            app_detail=self._health.detail,
            heartbeat=self._home.settings.heartbeat,
            lost=self._outbox.lost,
            ssh=self._ssh,
            video=_video_offer(self._home.settings.video),
        )

    def _welcomed(self, welcome: Welcome) -> None:
        self._uploads.allowed(welcome.files)
        self._log.say(f"Connected to {self._home.settings.server} as {welcome.name}")
        if welcome.name != self._name:
            self._name = welcome.name
            self._disk.run(self._spool.note_name, welcome.name).addErrback(lambda _: None)

    def _spool_says(self, text: str) -> None:
        """From any thread."""
        self._reactor.callFromThread(self._log.say, text, LogLevel.ERROR)


def _video_offer(settings: VideoSettings) -> VideoOffer | None:
    return VideoOffer(settings.port, settings.path) if settings.port else None


def _ssh_offer(settings: SshSettings) -> SshOffer:
    """What the server may tell those who want to come to this machine; nothing where nobody may."""
    if not settings.enabled:
        return SshOffer()
    return SshOffer(settings.ports, host_keys(Path(settings.host_keys)))
