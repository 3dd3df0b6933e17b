"""``twistd iotcenter``: the command line, and the server as a service. ``iotcenter.server`` puts the parts together."""

from __future__ import annotations

import atexit
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from msgspec import Struct
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import ILogObserver, Logger
from twisted.plugin import getPlugins
from twisted.python import usage
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from iotcenter import memory
from iotcenter.banner import Opened, banner
from iotcenter.clock import uptime
from iotcenter.config import Config, ConfigError, load_config
from iotcenter.identity.errors import IdentityError
from iotcenter.interfaces import ITransport
from iotcenter.listening import OFF, CannotOpen
from iotcenter.logs import log_observer
from iotcenter.server import Server
from iotcenter.storage.errors import StorageError
from iotcenter.storage.lock import DataLock

SWITCH_INTERVAL = 0.0005
"""Seconds after which a busy reactor lets the database's threads go on. With Python's 0.005, SQLite, which lets go of
the interpreter at every row, waited for seconds behind a reactor that was busy all the time."""

MAX_FILES = 65536
"""The most files that the server has open, sockets among them: more links than one process can serve."""

FLAGS = [
    ("web", "where HTTP is served (127.0.0.1:8080)"),
    ("https", "where HTTPS is served (8443)"),
    ("ssh", "where SSH comes in, on its way to devices (8022)"),
]


def find_transports() -> dict[str, Any]:
    """Every transport that is installed, by its name."""
    return {transport.name: transport for transport in getPlugins(ITransport)}


def Options() -> usage.Options:
    """The command line of ``twistd iotcenter``, with a flag for each transport that is installed."""
    flags = [
        (name, f"where devices come in over {name} ({_default(transport.settings)})")
        for name, transport in sorted(find_transports().items())
    ]

    class ServerOptions(usage.Options):
        synopsis = "[--data DIR] [--config FILE] [listeners]"
        longdesc = "A listener is PORT, HOST:PORT, a Twisted endpoint string, or 'off'."
        optParameters = [
            ["data", "d", None, "where everything is kept ($STATE_DIRECTORY, else ./iotcenter-data)"],
            ["config", "c", None, "a TOML file with settings"],
            *([name, None, None, what] for name, what in [*flags, *FLAGS]),
        ]

        def parseOptions(self, options: Sequence[str] | None = None) -> None:
            """Take no abbreviations: whoever means HTTP with ``--http`` shall not get HTTPS."""
            for word in options or ():
                name, _, _ = word.removeprefix("--").partition("=")
                if word.startswith("--") and not {name, f"{name}="} & set(self.longOpt):
                    raise usage.UsageError(f"there is no option --{name}")
            super().parseOptions(options)

    return ServerOptions()


def makeService(options: Mapping[str, Any]) -> IService:
    """The whole server. What cannot work ends the program with one line."""
    from twisted.internet import reactor

    steady: Any = reactor
    steady.seconds = uptime  # its timers: a jump of the wall clock must neither fire nor hold up any
    transports = find_transports()
    given = options["data"] or os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    directory = Path(given or "iotcenter-data").absolute()
    flags = {name: options[name] for name in [*transports, *(name for name, _ in FLAGS)] if options[name] is not None}
    kinds: dict[str, type[Struct]] = {name: transport.settings for name, transport in transports.items()}
    try:
        config = load_config(Path(options["config"]) if options["config"] else None, flags, kinds)
        lock = DataLock.acquire(directory)
    except (ConfigError, StorageError) as error:
        _end(str(error))
    return IotCenter(reactor, directory, lock, config, transports)


class IotCenter(Service):
    """The server as a service: everything is opened at the start, and nothing is left behind at the end."""

    log = Logger()

    def __init__(
        self, reactor: Any, directory: Path, lock: DataLock, config: Config, transports: Mapping[str, Any]
    ) -> None:
        self._reactor = reactor
        self._directory = directory
        self._lock = lock
        self._config = config
        self._transports = transports
        self._server: Server | None = None
        self._beginning: Deferred[None] | None = None

    def setServiceParent(self, parent: Any) -> None:
        """Join the application; the log goes to a file in the data directory, and its warnings to the terminal."""
        super().setServiceParent(parent)
        if isinstance(parent, Componentized):
            try:
                parent.setComponent(ILogObserver, log_observer(self._directory / "log", self._config.log.level))
            except OSError as error:
                _end(f"the data directory {self._directory} cannot be written: {error.strerror}")

    def startService(self) -> None:
        """Open the data directory and the ports; what cannot be opened ends the program with one line."""
        super().startService()
        self._lock.sign()
        sys.setswitchinterval(SWITCH_INTERVAL)
        _allow_many_connections()
        try:
            self._server = Server.open(self._reactor, self._directory, self._lock, self._config, self._transports)
        except (StorageError, IdentityError, CannotOpen, OSError) as error:
            _end(str(error))
        self._beginning = Deferred.fromCoroutine(self._server.begin()).addCallbacks(self._announce, self._give_up)

    def stopService(self) -> Deferred[None]:
        """Close everything; fires when nothing is left."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._beginning is not None:
            await maybeDeferred(lambda: self._beginning)
        if self._server is not None:
            await self._server.close()
            self._server = None

    def _announce(self, opened: Opened) -> None:
        memory.settle()
        # By now sys.stdout leads into the log, where the setup link must not stand.
        terminal = sys.__stdout__
        if terminal is not None:
            print(banner(opened, qr=terminal.isatty()), end="", file=terminal, flush=True)

    def _give_up(self, failure: Failure) -> None:
        self.log.failure("iotcenter: the server cannot begin", failure)  # on the terminal one line of it
        # twistd ends with 0 whatever stopped its reactor; whoever watches the server goes by the status.
        atexit.register(os._exit, 1)
        self._reactor.callWhenRunning(self._reactor.stop)


def _default(settings: type[Struct]) -> str:
    """What a transport listens on where nothing is set."""
    return next((str(field.default) for field in msgspec.structs.fields(settings) if field.name == "listen"), OFF)


def _allow_many_connections() -> None:
    """Let the process have more open files than the usual 1,024: each link is one."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if most == resource.RLIM_INFINITY else min(MAX_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, wanted), most))


def _say(what: str) -> None:
    """One line for the person at the terminal; sys.stderr leads into the log once the daemon has started."""
    print(f"iotcenter: {what}", file=sys.__stderr__, flush=True)


def _end(what: str) -> NoReturn:
    """The server cannot run, for a reason that its operator can mend."""
    _say(what)
    raise SystemExit(1)
