"""What the gateway is not for: whatever else is asked of it is refused, in words, and nothing is connected to."""

from __future__ import annotations

import socket
from pathlib import Path

from iotcenter.gateway.userauth import TRIES
from tests.gateway.case import DEVICE, GatewayCase
from tests.gateway.openssh import Home, make_key
from tests.processes import Program, until

ELSEWHERE = (
    "127.0.0.1",
    "localhost",
    "0.0.0.0",
    "::1",
    "::ffff:127.0.0.1",
    "fe80::1%lo",
    "169.254.169.254",
    "2130706433",
    "0x7f000001",
    "kitchen-pi.",
    "kitchen-pi.local",
    "center.example",
    "kitchen_pi",
    "-kitchen-pi",
    "k" * 64,
)
"""Names and addresses that are no devices' names, and those of devices in disguise."""


class ReachTests(GatewayCase):
    """Nothing but devices can be reached, and of these only what their configuration allows."""

    async def test_elsewhere(self) -> None:
        """No address, no other host name, nothing of the server's own."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            listening.setblocking(False)
            port = listening.getsockname()[1]
            for host in (*ELSEWHERE, socket.gethostname()):
                with self.subTest(host):
                    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                    refusal = await self.refusal("-W", target, "jump")
                    self.assertIn("only devices can be reached here, by their names", refusal)
            with self.assertRaises(BlockingIOError):
                listening.accept()
        self.assertIn("tried to reach b'169.254.169.254'", self.log())
        self.assertNotIn("Traceback", self.log())

    async def test_unknown_device(self) -> None:
        """A name that no device has."""
        self.assertIn("none has that name", await self.refusal("-W", "kitchen-pie:22", "jump"))

    async def test_forbidden_port(self) -> None:
        """A port that the device's configuration does not allow: it says which it does."""
        refusal = await self.refusal("-W", f"{DEVICE}:80", "jump")
        allowed = f"its configuration allows {self.sshd.port}, {self.echo}"
        self.assertIn(f"port 80 is not open on {DEVICE}: {allowed}", refusal)
        [event] = await until(self.reactor, lambda: self.events("tunnel.refused"), "it was not noted")
        self.assertEqual((event["actor"], event["object"], event["data"]["port"]), ("ann", DEVICE, 80))

    async def test_disabled(self) -> None:
        """A device whose configuration takes no tunnels at all."""
        await self.start_agent("other-pi", "[ssh]\nenabled = false\n")
        self.assertIn("[ssh] is not enabled in its configuration", await self.refusal("other-pi", "true"))

    async def test_nothing_listens(self) -> None:
        """A port that is allowed, and on which nothing answers."""
        await self.sshd.stop()
        refusal = await self.refusal(DEVICE, "true")
        self.assertIn(f"nothing answers on port {self.sshd.port} of this device", refusal)

    async def test_other_requests(self) -> None:
        """No shell, no command, no sftp, no agent, no X11, no port of the server."""
        for words in (
            ("jump",),
            ("jump", "id"),
            ("-tt", "jump"),
            ("-A", "-X", "jump"),
            ("-s", "jump", "sftp"),
        ):
            with self.subTest(words):
                refusal = await self.refusal(*words)
                self.assertIn("this server gives no shell: it leads to devices. Use: ssh -J ann@", refusal)
        for place in ("0:127.0.0.1:22", f"{self.folder}/socket:127.0.0.1:22"):
            with self.subTest(place):
                refusal = await self.refusal("-N", "-o", "ExitOnForwardFailure=yes", "-R", place, "jump")
                self.assertIn("remote port forwarding failed", refusal)
        self.assertNotIn("Traceback", self.log())


class SignInTests(GatewayCase):
    """Who may come in."""

    async def test_unknown_key(self) -> None:
        """A key that is not on file, and a user that does not exist, are refused alike."""
        stranger = Home(self.reactor, self.folder / "stranger")
        for user in ("ann", "nobody", "x" * 200):
            with self.subTest(user):
                words = ("-o", f"IdentityFile={stranger.key}", "-o", "IdentityAgent=none", "-l", user, "-W")
                config = self.home.config.read_text().replace(str(self.home.key), str(stranger.key))
                stranger.config.write_text(config)
                program = stranger.ssh(*words, f"{DEVICE}:22", "jump")
                self.addCleanup(program.end)
                self.assertEqual(await program.outcome(), 255)
                self.assertIn("Permission denied (publickey)", program.errors)

    async def test_tries(self) -> None:
        """A client may try six keys: with five others before it the right one is taken, with six it comes too late."""
        others = [make_key(self.folder / f"other-{number}") for number in range(TRIES)]
        for count, status in ((TRIES - 1, 0), (TRIES, 255)):
            with self.subTest(count):
                config = self.home.config.read_text()
                files = "".join(f"  IdentityFile {key}\n" for key in others[:count])
                several = self.folder / f"config-{count}"
                several.write_text(config.replace("Host *\n", f"Host *\n{files}", 1))
                program = Program(self.reactor, ["ssh", "-F", str(several), "-W", f"{DEVICE}:{self.echo}", "jump"])
                self.addCleanup(program.end)
                program.write(b"")
                self.assertEqual(await program.outcome(), status, program.said)
        self.assertIn("none of 6 keys is good: is yours on file? See iotcenter key add", program.errors)

    async def test_viewer(self) -> None:
        """A user without the role is told so, and what it takes."""
        await self.add_user("vera", "viewer")
        vera = Home(self.reactor, self.folder / "vera")
        await self.add_key("vera", vera)
        vera.config.write_text(self.home.config.read_text().replace(str(self.home.key), str(vera.key)))
        program = vera.ssh("-l", "vera", "-W", f"{DEVICE}:22", "jump")
        self.addCleanup(program.end)
        self.assertEqual(await program.outcome(), 255)
        self.assertIn("vera has the role viewer; SSH takes the role operator", program.errors)

    async def test_kinds_of_keys(self) -> None:
        """RSA and ECDSA keys do as well."""
        for kind in ("rsa", "ecdsa"):
            with self.subTest(kind):
                person = Home(self.reactor, self.folder / kind, kind)
                await self.add_key("ann", person)
                person.config.write_text(self.home.config.read_text().replace(str(self.home.key), str(person.key)))
                program = person.ssh(DEVICE, "echo", kind)
                self.addCleanup(program.end)
                self.assertEqual(await program.outcome(), 0, program.said)
                self.assertEqual(program.output, f"{kind}\n")

    async def test_passwords(self) -> None:
        """No password is asked for: there is only one way in."""
        program = self.ssh("-v", "-o", "PreferredAuthentications=none", "jump")
        self.assertEqual(await program.outcome(), 255)
        self.assertIn("Authentications that can continue: publickey\n", program.errors.replace("\r", ""))

    async def test_host_key(self) -> None:
        """It is made at the first start, for the owner's eyes alone, and another in its place is noticed by ssh."""
        path: Path = self.server.directory / "ssh_host_ed25519_key"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        await self.server.kill()
        path.unlink()
        await self.server.start()
        self.assertIn("REMOTE HOST IDENTIFICATION HAS CHANGED", await self.refusal(DEVICE, "true"))
