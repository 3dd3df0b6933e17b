"""SSH on the page of a device: what is shown to whom, and the ports that are opened there."""

from __future__ import annotations

from msgspec.structs import replace

from iotcenter.identity.ssh_keys import fingerprint_of_line
from iotcenter.model import Role, SshOffer
from tests.web.support import HELLO, WebTestCase
from tests.web.wire import Answer

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGq6mC9mHnOWwhqXkKpzWW2qjSo2dWdBUN0ZQkCb2T6W"


def text(answer: Answer) -> str:
    """The page."""
    return answer.body.decode()


class SectionTests(WebTestCase):
    """What the section says."""

    async def test_the_commands(self) -> None:
        """Operators get the commands, ready to copy, what goes into their files, and the host keys' fingerprints."""
        await self.device(hello=replace(HELLO, ssh=SshOffer((2222, 80), (KEY, "ssh-rsa AAAAA"))))
        operator = await self.user(Role.OPERATOR)
        for path in ("/devices/kitchen-pi", "/devices/kitchen-pi/ssh"):
            page = text(await self.ask("GET", path, operator))
            self.assertIn(">ssh -J operator@127.0.0.1:8022 -p 2222 pi@kitchen-pi</textarea>", page)
            self.assertIn("scp -J operator@127.0.0.1:8022 -P 2222 photo.jpg pi@kitchen-pi:", page)
            self.assertIn("ProxyJump", page)
            self.assertIn(f"kitchen-pi {KEY}\n", page)
            self.assertIn(fingerprint_of_line(KEY), page)
            self.assertIn("<code>not a key</code>", page)
            self.assertIn("You have no SSH key on file here", page)

    async def test_who_may_not(self) -> None:
        """Viewers are told which role it takes; nobody is shown commands that lead nowhere."""
        await self.device()
        viewer = text(await self.ask("GET", "/devices/kitchen-pi", await self.user(Role.VIEWER)))
        self.assertIn("Logging in to devices takes the role operator; yours is viewer.", viewer)
        operator = text(await self.ask("GET", "/devices/kitchen-pi", await self.user(Role.OPERATOR)))
        self.assertIn("kitchen-pi takes no tunnels", operator)
        self.parts.ports.ssh = None
        off = text(await self.ask("GET", "/devices/kitchen-pi", await self.user(Role.ADMIN)))
        self.assertIn("The SSH gateway is off", off)
        for page in (viewer, operator, off):
            self.assertNotIn("ssh -J", page)

    async def test_a_port_that_is_refused(self) -> None:
        """A port that cannot be opened is answered by the form with what was chosen, and the reason."""
        await self.device(hello=replace(HELLO, ssh=SshOffer((22, 80))))
        operator = await self.user(Role.OPERATOR)
        form = {"port": "80", "lifetime": "14400"}
        self.center.open_ports.listen = None
        answer = await self.ask("POST", "/devices/kitchen-pi/ssh", operator, form=form)
        self.assertEqual(answer.status, 409)
        self.assertIn("The port was not opened.</strong> 0 ports are open on this server", text(answer))
        self.assertIn("<option selected>80</option>", text(answer))
        self.assertIn('<option value="14400" selected>', text(answer))
