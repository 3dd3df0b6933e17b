"""The event stream, as it comes over a socket."""

from __future__ import annotations

import msgspec

from iotcenter.center.subscribers import ReadingsEvent, RemovedEvent
from iotcenter.model import LogLevel, LogLine, Reading, Role
from iotcenter.wire.messages import Log
from tests.web.support import WebTestCase
from tests.web.wire import dechunk


class EventTests(WebTestCase):
    """Real streams."""

    async def test_all_kinds(self) -> None:
        """Whatever happens is told, as the API shows it elsewhere."""
        wire = await self.watch(await self.user(Role.VIEWER))
        self.assertIn(b"Content-Type: text/event-stream\r\n", wire.received)
        _, attachment = await self.device()
        await self.report(attachment, Reading("temperature", 21.5, self.reactor.seconds()))
        attachment.received(Log((LogLine(0.0, LogLevel.INFO, "line\r\ndata: x"),)))
        await self.center.commands.send("kitchen-pi", "reboot", {}, "ann")
        await wire.until(b"event: readings")
        await self.center.devices.rename("kitchen-pi", "attic", "ann")
        attachment.detached("gone")
        await self.center.devices.remove("attic", "ann")
        await wire.until(b"event: removed")
        body = dechunk(bytes(wire.received).partition(b"\r\n\r\n")[2]).decode()
        events = [event.split("\n") for event in body.split("\n\n") if event.startswith("event: ")]
        told = {name.removeprefix("event: "): msgspec.json.decode(data.removeprefix("data: ")) for name, data in events}
        self.assertEqual(next(iter(told)), "snapshot")
        self.assertEqual(set(told), {"snapshot", "device", "presence", "log", "command", "removed", "readings"})
        self.assertEqual((told["log"]["device"], told["log"]["text"]), ("kitchen-pi", "line\r\ndata: x"))
        self.assertEqual((told["readings"][0]["series"], told["readings"][0]["value"]), ("temperature", 21.5))
        self.assertEqual(told["command"]["name"], "reboot")
        self.assertEqual(set(told["presence"]), {"device", "state", "reason", "last_seen"})

    async def test_signed_out(self) -> None:
        """A stream ends with its session."""
        viewer = await self.user(Role.VIEWER)
        wire = await self.watch(viewer)
        answer = await self.ask("POST", "/sign-out", viewer, form={})
        self.assertEqual(answer.status, 303)
        await wire.until(b"\r\n0\r\n\r\n")
        self.assertEqual(len(self.parts.streams), 0)

    async def test_removed_user(self) -> None:
        """A stream ends with its user, and with its token."""
        admin = await self.program(Role.ADMIN)
        by_user = await self.watch(await self.user(Role.VIEWER, "ann"))
        by_token = await self.watch(await self.program(Role.VIEWER, "graphs"))
        self.assertEqual((await self.ask("DELETE", "/api/v1/tokens/graphs", admin)).status, 204)
        await by_token.until(b"\r\n0\r\n\r\n")
        self.assertFalse(by_user.received.endswith(b"0\r\n\r\n"))
        self.assertEqual((await self.ask("DELETE", "/api/v1/users/ann", admin)).status, 204)
        await by_user.until(b"\r\n0\r\n\r\n")

    async def test_reader_that_does_not_read(self) -> None:
        """A reader that stalls costs no more than its buffers while events go on, and none after it went."""
        wire = await self.watch(await self.user(Role.VIEWER))
        wire.transport.pauseProducing()  # type: ignore[union-attr]
        for number in range(20_000):
            self.center.subscribers.publish(ReadingsEvent(()))
            self.center.subscribers.publish(RemovedEvent(f"{number:0500d}"))
            if number % 100 == 0:
                await self.store.devices.all()
        self.assertTrue(0 < self.held() < 256 * 1024, self.held())
        await wire.close()
        while len(self.parts.streams):
            await self.store.devices.all()
