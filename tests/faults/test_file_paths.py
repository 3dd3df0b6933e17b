"""Files with names that lead elsewhere, and requests for them: nothing is written or read outside their folder."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from iotcenter.model import Role
from tests.web.support import WebTestCase
from tests.web.test_files import JPEG, send_file

NAMES = (
    "../iotcenter.db",
    "../../../../../../../../etc/cron.d/x",
    "/etc/passwd",
    "..\\..\\x.exe",
    "..%2f..%2fx",
    "%2e%2e/x",
    "x\0.jpg",
    "x/../../y",
    ".",
    "..",
    "~/.ssh/authorized_keys",
    "CON",
    "-rf",
    "." + "0" * 32 + "-1",
    "x" * 255,
)
"""What a device may call a file that it wants elsewhere, or on top of something."""

SECRET = b"the root's private key"


class PathTests(WebTestCase):
    """A device that was taken over, and a reader who guesses."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Something is there that nobody may have."""
        await super().setUp()
        self.secret = self.directory / "secret"
        self.secret.write_bytes(SECRET)
        _, self.attachment = await self.device()
        self.viewer = await self.program(Role.VIEWER)

    def outside(self) -> set[Path]:
        """All that is around the folder of files."""
        around = self.directory.absolute().parent
        return {path for path in around.rglob("*") if "files" not in path.relative_to(around).parts}

    async def test_names(self) -> None:
        """Whatever a device calls its files, each is kept under a name that the server made, in the one folder; what
        was there is as it was."""
        before = self.outside()
        for name in NAMES:
            kept = await send_file(self, self.attachment, JPEG + name.encode(), name)
            answer = await self.ask("GET", f"/api/v1/devices/kitchen-pi/files/{kept.id}", self.viewer)
            self.assertEqual((answer.status, answer.body), (200, JPEG + name.encode()), name)
            self.assertNotRegex(answer.header("content-disposition"), r"[/\\]")
        self.assertEqual(self.outside(), before)
        stored = list((self.directory / "files").iterdir())
        self.assertEqual(len(stored), len(NAMES))
        for path in stored:
            self.assertIsNotNone(re.fullmatch(r"[0-9a-f-]+", path.name), path.name)
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.secret.read_bytes(), SECRET)

    async def test_paths(self) -> None:
        """No path of a request leads out of what is served."""
        ways = (
            "../secret",
            "..%2fsecret",
            "%2e%2e%2fsecret",
            "..%5csecret",
            "%2fetc%2fpasswd",
            "1%00",
            "1/../../secret",
        )
        places = (
            "/api/v1/devices/kitchen-pi/files/",
            "/devices/kitchen-pi/files/",
            f"/static/{self.parts.build}/",
        )
        for place in places:
            for way in (*ways, quote(str(self.secret.absolute()), safe="")):
                answer = await self.ask("GET", place + way, self.viewer)
                self.assertIn(answer.status, (400, 404), place + way)
                self.assertNotIn(SECRET, answer.body)

    async def test_links(self) -> None:
        """A link that somebody put in the place of a file is not followed, to be read or to be written."""
        kept = await send_file(self, self.attachment, JPEG)
        [path] = (self.directory / "files").iterdir()
        path.unlink()
        path.symlink_to(self.secret.absolute())
        answer = await self.ask("GET", f"/api/v1/devices/kitchen-pi/files/{kept.id}", self.viewer)
        self.assertNotEqual(answer.status, 200)
        self.assertNotIn(SECRET, answer.body)
        self.assertEqual(self.secret.read_bytes(), SECRET)
