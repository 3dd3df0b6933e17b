"""Live video, from a camera behind a real agent to a real browser."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from msgspec import structs
from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.wire.token import parse_token
from iotdevice.enrollment import enroll
from tests.browser.base import BrowserCase
from tests.camera import Camera
from tests.daemons import AgentProcess
from tests.faults import ECHO_APP
from tests.processes import until

PICTURE = "[data-video] img"


class VideoTests(BrowserCase):
    """The device ``porch`` has a camera."""

    async def prepare(self) -> None:
        await super().prepare()
        self.camera = Camera(self.reactor)
        folder = Path(mkdtemp(prefix="iotcenter-video-"))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "porch").mkdir()
        ports = self.house.parts.ports
        assert ports.tls is not None
        token = await self.house.parts.enrollments.issue("porch", 600, "anna", ports.tls)
        await enroll(self.reactor, structs.replace(parse_token(token), port=ports.tls[1]), folder / "porch")
        with (folder / "porch/iotdevice.toml").open("a") as file:
            file.write(f'[ssh]\nenabled = false\n[video]\nport = {self.camera.port}\npath = "/stream?x=1"\n')
        self.agent = AgentProcess(self.reactor, folder / "porch", ECHO_APP)
        self.agent.start()
        devices = self.house.parts.center.devices
        await until(self.reactor, lambda: any(device.video for device in devices.all()), "it did not come")

    async def tearDown(self) -> None:  # type: ignore[override]
        await self.agent.kill()
        await self.camera.stop()
        await super().tearDown()

    def watching(self, count: int) -> None:
        """Wait until so many streams come from the camera."""
        self.on_server(until, self.reactor, lambda: self.camera.watching == count, f"{self.camera.watching} streams")

    def test_two_watch(self) -> Deferred[None]:
        """A button starts and stops it; two who watch share one stream, which ends with the last of them."""

        def act(page: Page) -> None:
            button = page.locator("[data-video-toggle]")
            self.assertEqual(self.camera.watching, 0)
            button.click()
            expect(page.locator(PICTURE)).to_have_js_property("naturalWidth", 16)
            expect(button).to_have_text("Stop the video")
            second = page.context.new_page()
            second.goto("/devices/porch")
            second.locator("[data-video-toggle]").click()
            expect(second.locator(PICTURE)).to_have_js_property("naturalWidth", 16)
            self.watching(1)
            self.assertEqual(self.camera.asked, [b"GET /stream?x=1 HTTP/1.0"])
            button.click()
            expect(page.locator(PICTURE)).to_have_count(0)
            self.watching(1)
            second.close()
            self.watching(0)
            self.assertEqual(self.house.parts.center.tunnels.sessions(), ())
            button.click()
            expect(page.locator(PICTURE)).to_have_js_property("naturalWidth", 16)
            self.watching(1)
            button.click()
            self.watching(0)

        return self.visit(act, "/devices/porch")

    def test_no_picture(self) -> Deferred[None]:
        """A camera that serves something else shows nothing, and the page says why."""

        def act(page: Page) -> None:
            page.locator("[data-video-toggle]").click()
            expect(page.locator("[data-video-problem]")).to_have_text("There is no video: what it sends is no JPEG.")
            expect(page.locator("[data-video-toggle]")).to_have_text("Show live video")
            self.watching(0)

        self.camera.picture = b"<svg onload=alert(1)>"
        return self.visit(act, "/devices/porch", errors=True)
