"""What the pages and the API may use of the house: put together once, in ``iotcenter.server``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iotcenter.web.assets import Assets
from iotcenter.web.streams import Streams

if TYPE_CHECKING:
    from iotcenter.center.center import Center
    from iotcenter.config import Config
    from iotcenter.identity.accounts import Accounts
    from iotcenter.identity.authority import Authority
    from iotcenter.identity.enrollment import Enrollments
    from iotcenter.identity.registrations import Registrations
    from iotcenter.identity.resets import ResetLinks
    from iotcenter.identity.sessions import Sessions
    from iotcenter.identity.setup import SetupLink
    from iotcenter.identity.ssh_keys import SshKeys
    from iotcenter.identity.tokens import ApiTokens
    from iotcenter.identity.users import Users
    from iotcenter.identity.web_certificate import WebCertificate
    from iotcenter.interfaces import Clock
    from iotcenter.storage.store import Store


@dataclass
class Ports:
    """Where the doors stand open: (interface, port) each, None where one is shut. Filled in once they are open.

    ``ssh_key`` is the public host key of the SSH gateway. ``transports`` has those of the devices, by the transport's
    name.
    """

    https: tuple[str, int] | None = None
    http: tuple[str, int] | None = None
    ssh: tuple[str, int] | None = None
    ssh_key: str = ""
    transports: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def tls(self) -> tuple[str, int] | None:
        """Where devices enroll."""
        return self.transports.get("tls")


@dataclass(frozen=True)
class Parts:
    """Everything that a handler may need. ``reactor`` is Twisted's, or a test's; ``names`` are those of [web] in
    the configuration ``config``, ``configuration`` is its file. ``backup_state`` says how the backups by themselves
    fare, ``backup_times`` when the last was made and when the next is due."""

    reactor: Any
    clock: Clock
    center: Center
    store: Store
    authority: Authority
    accounts: Accounts
    enrollments: Enrollments
    registrations: Registrations
    users: Users
    sessions: Sessions
    tokens: ApiTokens
    ssh_keys: SshKeys
    setup_link: SetupLink
    reset_links: ResetLinks
    web_certificate: WebCertificate
    assets: Assets
    streams: Streams
    ports: Ports
    names: tuple[str, ...] = ()
    configuration: str = ""
    config: Config | None = None
    backup_state: Callable[[], str] = lambda: "off"
    backup_times: Callable[[], tuple[float | None, float | None]] = lambda: (None, None)

    @property
    def build(self) -> str:
        """What tells this build's pages and files from another's: pages that are older offer to reload."""
        return self.assets.build
