"""Photos and other files of devices, as people see them."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.model import CommandOffer
from tests.browser.base import BrowserCase
from tests.browser.devices import make_device
from tests.browser.pictures import landscape

SEEN = "image => image.complete && image.naturalWidth > 0"
"""Whether a picture is really shown."""

SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.attacked=1'><script>window.attacked=1</script></svg>"


class PhotoTests(BrowserCase):
    """A camera, and who looks."""

    async def prepare(self) -> None:
        await super().prepare()
        self.device = await make_device(self.house.parts, "attic")
        self.device.connect(commands=(CommandOffer("snap", "Take a photo"),))

    def test_a_photo_comes(self) -> Deferred[None]:
        """It appears by itself on the device's page, on that of all photos, and on the dashboard; a click opens it."""

        def act(page: Page) -> None:
            for number, path in enumerate(("/devices/attic", "/photos", "/"), 1):
                page.goto(path)
                expect(page.locator("[data-live-word]")).to_have_text("Live")
                self.on_server(self.device.upload, landscape(10 + number))
                picture = page.locator(f"img[src$='/files/{number}']")
                expect(picture).to_be_visible()
                self.assertTrue(picture.evaluate(SEEN))
            page.goto("/photos")
            page.locator(".shot a").first.click()
            expect(page.get_by_role("heading", name="photo.png")).to_be_visible()
            self.assertTrue(page.locator(".photo img").evaluate(SEEN))
            page.get_by_role("link", name="Older").click()
            page.wait_for_url("**/devices/attic/files/2")

        return self.visit(act)

    def test_delete_and_keep(self) -> Deferred[None]:
        """One photo can be deleted, and a device's last ones alone be kept, without scripts too."""

        def act(page: Page) -> None:
            for hour in range(5):
                self.on_server(self.device.upload, landscape(10 + hour))
            page.goto("/devices/attic/files/5")
            page.locator("summary", has_text="Delete").click()
            page.get_by_role("button", name="Delete").click()
            page.wait_for_url("**/devices/attic/files/4")
            page.goto("/photos?device=attic")
            expect(page.locator(".shot")).to_have_count(4)
            page.get_by_label("Keep the last").fill("2")
            page.get_by_role("button", name="Keep").click()
            expect(page.locator(".shot")).to_have_count(2)
            expect(page.get_by_label("Keep the last")).to_have_value("2")

        return self.visit(act, java_script_enabled=False)

    def test_result_of_a_command(self) -> Deferred[None]:
        """A photo that a command took stands with its result."""

        def act(page: Page) -> None:
            page.locator("[data-opens=dialog-snap]").click()
            page.get_by_role("dialog").get_by_role("button", name="Take a photo").click()
            expect(page.locator(".fate")).to_have_text("done")
            number = page.locator(".sent-item").get_attribute("id") or ""
            self.on_server(self.device.upload, landscape(12), command=int(number.removeprefix("command-")))
            picture = page.locator(".sent-item img")
            expect(picture).to_be_visible()
            self.assertTrue(picture.evaluate(SEEN))

        return self.visit(act, "/devices/attic")

    def test_hostile_files(self) -> Deferred[None]:
        """Names are text, documents with scripts are downloads, and a picture with markup behind it is a picture."""

        def act(page: Page) -> None:
            name = "<img src=x onerror=window.attacked=1>\u202egpj.svg"
            self.on_server(self.device.upload, SVG, name, "image/svg+xml")
            self.on_server(self.device.upload, landscape(9) + b"<script>window.attacked=1</script>", name, "text/html")
            page.goto("/devices/attic")
            expect(page.locator("#photos .shot-name").first).to_have_text(name.replace("\u202e", ""))
            self.assertIsNone(page.evaluate("window.attacked ?? null"))
            page.goto("/devices/attic/files/1")
            expect(page.locator(".photo")).to_have_count(0)
            with page.expect_download() as download:
                page.get_by_role("link", name="Download").click()
            self.assertTrue(download.value.suggested_filename.endswith("svg"))
            page.goto("/api/v1/devices/attic/files/2")
            self.assertEqual(page.evaluate("document.contentType"), "image/png")
            self.assertIsNone(page.evaluate("window.attacked ?? null"))

        return self.visit(act)
