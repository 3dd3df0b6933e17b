"""All handlers of the API."""

from __future__ import annotations

from collections.abc import Sequence

from iotcenter.web.api.commands import CommandHandlers
from iotcenter.web.api.devices import DeviceHandlers
from iotcenter.web.api.enrollments import EnrollmentHandlers
from iotcenter.web.api.events import EventHandlers
from iotcenter.web.api.files import FileHandlers
from iotcenter.web.api.imports import ImportHandlers
from iotcenter.web.api.logs import LogHandlers
from iotcenter.web.api.readings import ReadingHandlers
from iotcenter.web.api.registrations import RegistrationHandlers
from iotcenter.web.api.retention import RetentionHandlers
from iotcenter.web.api.ssh_keys import SshKeyHandlers
from iotcenter.web.api.status import StatusHandlers
from iotcenter.web.api.tokens import TokenHandlers
from iotcenter.web.api.tunnels import TunnelHandlers
from iotcenter.web.api.udp import UdpHandlers
from iotcenter.web.api.users import UserHandlers
from iotcenter.web.api.video import VideoHandlers
from iotcenter.web.parts import Parts

_KINDS = (
    StatusHandlers,
    DeviceHandlers,
    CommandHandlers,
    LogHandlers,
    VideoHandlers,
    FileHandlers,
    ReadingHandlers,
    RetentionHandlers,
    ImportHandlers,
    EventHandlers,
    EnrollmentHandlers,
    UdpHandlers,
    RegistrationHandlers,
    UserHandlers,
    SshKeyHandlers,
    TunnelHandlers,
    TokenHandlers,
)


def api_handlers(parts: Parts) -> Sequence[object]:
    """One object for each noun, in the order in which the API's document has them."""
    return tuple(kind(parts) for kind in _KINDS)
