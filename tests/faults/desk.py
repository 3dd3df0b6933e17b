"""A center on a data directory, without a network: devices are given reports to hand in, and hear what became of
them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred

from iotcenter.center.center import Center
from iotcenter.center.links import DeviceLink
from iotcenter.identity.accounts import Accounts
from iotcenter.model import Message
from iotcenter.storage.store import Store
from iotcenter.wire.messages import Ack, Busy, Hello, Report


class Desk:
    """A center, opened and closed as a server does it. ``store`` is what it keeps things in."""

    def __init__(self, directory: Path, reactor: Any) -> None:
        self.store = Store(directory, reactor)
        self.store.open()
        self._accounts = Accounts(self.store, cast(Any, None), reactor.seconds)
        self._center = Center(self.store, self._accounts, reactor)

    async def begin(self) -> None:
        """Load what is kept."""
        await self._accounts.load()
        await self._center.load()
        self._center.start()

    async def close(self) -> None:
        """Finish what waits, and close."""
        self._center.stop()
        await self.store.close()

    async def new_device(self, name: str) -> str:
        """The id of a new device."""
        return (await self._accounts.add(name, "tls", "a test")).id

    def attach(self, device: str) -> DeskLink:
        """A link of a device. Raises ``Refused`` where the center does not know it."""
        link = DeskLink()
        link.attachment = self._center.attach(device, link, Hello(boot=1))
        return link


class DeskLink:
    """A device's link: it hands reports in."""

    transport = "tls"
    address = "192.0.2.7"
    heartbeat = 0.0
    attachment: DeviceLink

    def __init__(self) -> None:
        self._waiting: list[tuple[Report, Deferred[bool]]] = []

    def hand_in(self, report: Report) -> Deferred[bool]:
        """Fires with whether the report was acknowledged, once it was, or is to be sent again."""
        answer: Deferred[bool] = Deferred()
        self._waiting.append((report, answer))
        self.attachment.received(report)
        return answer

    def send(self, message: Message) -> None:
        """See ``iotcenter.interfaces.Link``."""
        if isinstance(message, Ack):
            self._answer(message.sequence, message.sequence + message.count, True)
        elif isinstance(message, Busy):
            self._answer(message.sequence, message.sequence + 1, False)

    def close(self, code: str, reason: str) -> None:
        """See ``iotcenter.interfaces.Link``."""

    def _answer(self, first: int, end: int, taken: bool) -> None:
        """The first report that begins within the range is answered; one that was handed in twice is so twice."""
        done = set()
        for entry in tuple(self._waiting):
            report, answer = entry
            if first <= report.sequence < end and report.sequence not in done:
                done.add(report.sequence)
                self._waiting.remove(entry)
                answer.callback(taken)
