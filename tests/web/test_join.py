"""What the line to paste does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from unittest import SkipTest

from iotcenter.model import Role
from iotcenter.web.doors import Door
from iotcenter.web.join import refusal
from iotcenter.wire.token import parse_token
from tests.support import run
from tests.transports.support import new_key, request_for
from tests.web.support import WebTestCase

PYTHON = """#!/bin/sh
# Stands for Python, outside and inside the environment that it makes.
echo "python $*" >>"$CALLS"
case "$*" in
    *load_credentials*) cat "$ENROLLED" 2>/dev/null ;;
    "-m venv"*)
        mkdir -p "$4/bin"
        cp "$0" "$4/bin/python"
        printf '#!/bin/sh\\necho "iotdevice $*" >>"$CALLS"\\ncat >"$CALLS.token"\\n' >"$4/bin/iotdevice"
        printf '#!/bin/sh\\necho "twistd $*" >>"$CALLS"\\n' >"$4/bin/twistd"
        chmod +x "$4/bin/iotdevice" "$4/bin/twistd" ;;
    "-m pip --version") [ "$0" != "$STUBS/python3" ] ;;
esac
"""

CURL = """#!/bin/sh
# Stands for curl: notes what it is asked for, and writes something there.
echo "curl $*" >>"$CALLS"
while [ "$1" != -o ]; do shift; done
echo wheel >"$2"
"""


RUNUSER = """#!/bin/sh
# Stands for runuser: that user may run anything but the first Python of the path.
shift 3
[ "$1" = "$STUBS/python3" ] && exit 126
exec "$@"
"""


class JoinTestCase(WebTestCase):
    """Has a token for a device."""

    door = Door.HTTPS

    async def setUp(self) -> None:  # type: ignore[override]
        """Make the token, and programs that note what the script calls."""
        await super().setUp()
        self.token = await self.parts.enrollments.issue("attic", 60, "ann", ("192.0.2.1", 9998))
        self.stubs = self.directory.absolute() / "stubs"
        self.stubs.mkdir()
        for name, text in {"python3": PYTHON, "curl": CURL}.items():
            (self.stubs / name).write_text(text)
            (self.stubs / name).chmod(0o755)
        self.home = self.directory.absolute() / "it's home"
        self.calls = self.directory.absolute() / "calls"
        self.enrolled = self.directory.absolute() / "enrolled"

    async def script(self, token: str = "") -> str:
        """The script for a token."""
        answer = await self.ask("GET", f"/join/{token or self.token}", headers={"Host": "center.example:8443"})
        self.assertEqual((answer.status, answer.header("content-type")), (200, "text/x-shellscript; charset=utf-8"))
        return answer.body.decode()

    async def enroll(self) -> str:
        """Use the token as a device does; the device's id."""
        enrolled = await self.accounts.enroll(parse_token(self.token).secret, request_for(new_key()), "test/1")
        return enrolled.id

    def run_script(self, script: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a script as ``curl | sh`` does; what it called is in ``calls``."""
        self.calls.write_text("")
        environment = {
            "PATH": f"{self.stubs}:{os.defpath}",
            "STUBS": str(self.stubs),
            "CALLS": str(self.calls),
            "ENROLLED": str(self.enrolled),
            "IOTDEVICE_HOME": str(self.home),
            **settings,
        }
        return subprocess.run(["sh"], input=script, env=environment, capture_output=True, text=True, check=False)

    def called(self, program: str) -> list[str]:
        """With what a program was called."""
        lines = self.calls.read_text().splitlines()
        return [line.removeprefix(f"{program} ") for line in lines if line.startswith(f"{program} ")]


class ScriptTests(JoinTestCase):
    """The script, with programs that only note what they are asked to do."""

    async def test_first_time(self) -> None:
        """It makes an environment, installs the agent, enrolls with the token on standard input, and starts it."""
        done = self.run_script(await self.script())
        self.assertEqual(done.returncode, 0, done.stderr)
        data = self.home / "data"
        [download] = self.called("curl")
        self.assertIn(f"--pinnedpubkey {self.parts.web_certificate.pin()} ", download)
        self.assertTrue(download.split()[-1].startswith(f"https://center.example:8443/join/{self.token}/iotdevice-"))
        self.assertEqual(self.called("iotdevice"), [f"enroll - --data {data} --start-app"])
        self.assertEqual(Path(f"{self.calls}.token").read_text(), self.token)
        self.assertEqual(self.called("twistd")[-1], f"--nodaemon --pidfile= iotdevice --data {data}")
        self.assertEqual(data.stat().st_mode & 0o777, 0o700)
        self.assertIn("Ctrl+C", done.stderr)

    async def test_again(self) -> None:
        """A second run upgrades the agent, and leaves a device that is in good standing as it is."""
        self.enrolled.write_text(await self.enroll())
        done = self.run_script(await self.script(), IOTDEVICE_NO_START="1")
        self.assertEqual((done.returncode, self.called("iotdevice")), (0, []))
        self.assertIn("attic already", done.stderr)
        self.assertEqual(len([call for call in self.called("python") if "pip install" in call]), 2)
        self.assertEqual([call for call in self.called("twistd") if "--data" in call], [])

    async def test_revoked(self) -> None:
        """A device that was revoked is enrolled anew by a new token."""
        device = await self.enroll()
        await self.accounts.revoke(device)
        self.token = await self.parts.enrollments.issue("attic", 60, "ann", ("192.0.2.1", 9998))
        self.enrolled.write_text(device)
        (self.home / "data").mkdir(parents=True)
        (self.home / "data" / "identity.pem").write_text("")
        self.run_script(await self.script())
        self.assertEqual(self.called("iotdevice"), [f"enroll - --data {self.home}/data --start-app --replace"])

    async def test_another_device(self) -> None:
        """A machine that is another device becomes this one only if it is told so."""
        self.enrolled.write_text("f" * 32)
        (self.home / "data").mkdir(parents=True)
        (self.home / "data" / "identity.pem").write_text("")
        done = self.run_script(await self.script())
        self.assertEqual((done.returncode, self.called("iotdevice")), (1, []))
        self.assertIn("IOTDEVICE_REPLACE=1", done.stderr)
        done = self.run_script(await self.script(), IOTDEVICE_REPLACE="1")
        self.assertEqual((done.returncode, len(self.called("iotdevice"))), (0, 1))

    async def test_cut_short(self) -> None:
        """However early the download ends, nothing is done but by the whole script."""
        script = await self.script()
        lines = script.splitlines(keepends=True)
        cuts = ["".join(lines[:count]) for count in range(0, len(lines), 7)]
        for cut in [*cuts, script[:-2], script[: -len(lines[-1])]]:
            self.run_script(cut)
            self.assertEqual(self.calls.read_text(), "", cut[-80:])
            self.assertFalse(self.home.exists())

    async def test_no_python(self) -> None:
        """Without a Python that will do, it says what to type, where it may not install one itself."""
        (self.stubs / "python3").write_text("#!/bin/sh\nexit 1\n")
        for version in (11, 12, 13, 14):
            (self.stubs / f"python3.{version}").symlink_to("python3")
        (self.stubs / "id").write_text("#!/bin/sh\necho 1000\n")
        (self.stubs / "id").chmod(0o755)
        done = self.run_script((await self.script()).replace("/usr/bin/python3", "python3"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("sudo apt-get install -y python3-venv", done.stderr)

    async def test_python_of_root_alone(self) -> None:
        """Root passes over a Python that the agent's user may not run, such as one in root's home."""
        other = self.stubs / "others" / "python3.12"
        other.parent.mkdir()
        other.write_text(PYTHON)
        other.chmod(0o755)
        (self.stubs / "runuser").write_text(RUNUSER)
        (self.stubs / "runuser").chmod(0o755)
        only_looks = (await self.script()).removesuffix("iotcenter_join\n") + 'find_python; say "$name: $python"\n'
        path = f"{self.stubs}:{other.parent}:{os.defpath}"
        done = self.run_script(f"system=yes\n{only_looks}", PATH=path)
        self.assertEqual(done.stderr, f"attic: {other}\n")
        self.assertEqual(self.run_script(f"system=\n{only_looks}").stderr, f"attic: {self.stubs}/python3\n")

    async def test_shellcheck(self) -> None:
        """The script as it is sent has none of the faults that shellcheck knows."""
        if shutil.which("shellcheck") is None:
            raise SkipTest("needs shellcheck")
        (self.directory / "join.sh").write_text(await self.script())
        run("shellcheck", "join.sh", cwd=self.directory)

    async def test_download_fails(self) -> None:
        """Where the agent cannot be had, nothing is enrolled."""
        (self.stubs / "curl").write_text("#!/bin/sh\nexit 90\n")
        done = self.run_script(await self.script())
        self.assertEqual((done.returncode, self.called("iotdevice")), (1, []))
        self.assertIn("could not be downloaded", done.stderr)


class RefusalTests(JoinTestCase):
    """Tokens that are no good, and doors that are not safe."""

    async def test_unknown(self) -> None:
        """A token that is unknown, damaged or expired gives a script that says so, and fails."""
        await self.parts.enrollments.withdraw((await self.parts.enrollments.open())[0].id)
        soon = await self.parts.enrollments.issue("late", 0.001, "ann", ("192.0.2.1", 9998))
        for token, word in {self.token: "not known", "iot1_x": "not known", "x": "not known", soon: "expired"}.items():
            done = self.run_script(await self.script(token))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(word, done.stderr)

    async def test_words_are_only_words(self) -> None:
        """Nothing in the words of a refusal is run."""
        done = self.run_script(refusal('it\'s $(touch /tmp/never) `id`; "x" \\'))
        self.assertIn('it\'s $(touch /tmp/never) `id`; "x" \\', done.stderr)

    async def test_wheel(self) -> None:
        """The wheel is for those who have a token, under its own name."""
        lines = (await self.script()).splitlines()
        agent = next(line.removeprefix("wheel=") for line in lines if line.startswith("wheel="))
        answer = await self.ask("GET", f"/join/{self.token}/{agent}")
        self.assertEqual((answer.status, answer.body[:2]), (200, b"PK"))
        await self.enroll()
        self.assertEqual((await self.ask("GET", f"/join/{self.token}/{agent}")).status, 200)
        for path in (f"/join/x/{agent}", f"/join/{self.token}/other.whl", f"/join/{self.token}/..%2f{agent}"):
            self.assertEqual((await self.ask("GET", path)).status, 404, path)


class PlainTests(JoinTestCase):
    """The door without TLS."""

    door = Door.HTTP

    async def test_not_without_tls(self) -> None:
        """No token goes to work over HTTP."""
        answer = await self.ask("GET", f"/join/{self.token}")
        done = self.run_script(answer.body.decode())
        self.assertEqual(done.returncode, 1)
        self.assertIn("HTTPS only", done.stderr)

    async def test_host_is_quoted(self) -> None:
        """What stands in the script cannot end its quotes: bad hosts never get that far."""
        answer = await self.ask("GET", f"/join/{self.token}", headers={"Host": "a';touch${IFS}x;'"})
        self.assertEqual(answer.status, 400)


class LineTests(WebTestCase):
    """Where the line says that the server is."""

    visitors = 0

    async def line(self, host: str = "", **body: object) -> str:
        """The line for a new device, for somebody who came by ``host``."""
        headers = {"Host": host} if host else {}
        self.visitors += 1
        visitor = await self.program(Role.ADMIN, f"visitor {self.visitors}")
        answer = await self.ask("POST", "/api/v1/enrollments", visitor, json={"name": "attic", **body}, headers=headers)
        self.assertEqual(answer.status, 201, answer.body)
        return str(answer.json()["line"])

    async def test_as_it_was_found(self) -> None:
        """It is where the one who asks found it, unless they found it from the machine itself, or say otherwise."""
        self.parts.ports.https = ("0.0.0.0", 8443)
        self.assertIn(" https://192.0.2.9:8443/join/", await self.line("192.0.2.9:8080"))
        self.assertIn(" https://10.1.2.3:8443/join/", await self.line(address="10.1.2.3"))
        self.assertIn(" https://pi.example/join/", await self.line(address="pi.example:443"))
        self.assertIn(" 'https://[2001:db8::1]:8443/join/", await self.line(address="[2001:db8::1]"))
        self.assertNotIn("127.0.0.1", await self.line("localhost:8080"))

    async def test_only_here(self) -> None:
        """Where HTTPS is open on this machine alone, so it is said; where it is shut, there is nothing to download."""
        self.assertIn(" https://127.0.0.1:8443/join/", await self.line("localhost:8080"))
        self.parts.ports.https = None
        self.assertTrue((await self.line("192.0.2.9:8080")).startswith("iotdevice enroll iot1_"))
