"""All pages, put together for one door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import deferLater

from iotcenter.web.errors import HTTPProblem
from iotcenter.web.pages.about import AboutPages
from iotcenter.web.pages.add_device import AddDevicePages
from iotcenter.web.pages.charts import ChartPages
from iotcenter.web.pages.commands import CommandPages
from iotcenter.web.pages.dashboard import DashboardPages
from iotcenter.web.pages.device import DevicePages
from iotcenter.web.pages.devices import DevicesPages
from iotcenter.web.pages.display import DisplayPages
from iotcenter.web.pages.error import ErrorPages
from iotcenter.web.pages.events import EventPages
from iotcenter.web.pages.logs import LogsPages
from iotcenter.web.pages.photos import PhotoPages
from iotcenter.web.pages.profile import ProfilePages
from iotcenter.web.pages.reference import ReferencePages
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.reset import ResetPages
from iotcenter.web.pages.settings import SettingsPages
from iotcenter.web.pages.setup import SetupPages
from iotcenter.web.pages.sign_in import SignInPages
from iotcenter.web.pages.ssh import SshPages
from iotcenter.web.pages.ssh_keys import SshKeyPages
from iotcenter.web.pages.tokens import TokenPages
from iotcenter.web.pages.users import UserPages
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


def page_handlers(parts: Parts, document: Callable[[], dict[str, Any]]) -> tuple[object, ...]:
    """The handlers of all pages. ``document`` gives what describes the API."""
    renderer = make_renderer(parts)
    return (
        SetupPages(parts, renderer),
        SignInPages(parts, renderer),
        DashboardPages(parts, renderer),
        DevicesPages(parts, renderer),
        DevicePages(parts, renderer),
        CommandPages(parts, renderer),
        ChartPages(parts, renderer),
        DisplayPages(parts, renderer),
        SshPages(parts, renderer),
        SshKeyPages(parts, renderer),
        ProfilePages(parts, renderer),
        PhotoPages(parts, renderer),
        LogsPages(parts, renderer),
        UserPages(parts, renderer),
        ResetPages(parts, renderer),
        TokenPages(parts, renderer),
        EventPages(parts, renderer),
        AddDevicePages(parts, renderer),
        AboutPages(parts, renderer),
        SettingsPages(parts, renderer),
        ReferencePages(parts, renderer, document),
    )


def error_page(parts: Parts) -> Callable[[HTTPProblem, Principal | None], str]:
    """What tells people of a problem."""
    return ErrorPages(make_renderer(parts)).render


def make_renderer(parts: Parts) -> Renderer:
    """What renders this server's pages."""
    return Renderer(
        parts.build,
        parts.clock.seconds,
        lambda: parts.store.trouble,
        lambda: parts.store.notices,
        lambda: deferLater(parts.reactor, 0.0),
    )
