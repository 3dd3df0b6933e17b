"""The shell side: how ``script/`` copes with machines of all kinds, and how ``script/server`` runs two daemons."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.support import run

ROOT = Path(__file__).parent.parent

PATIENCE = 60
"""Seconds after which a script that should have ended is a failure."""

TWISTD = """#!/bin/sh
# A daemon that writes down how it was called, and runs until it is told to stop, or until the file "die-NAME" appears.
name=iotcenter; for word; do [ "$word" = iotdevice ] && name=iotdevice; done
echo "$*" >>"$CALLS"
trap 'echo "stopped $name" >>"$CALLS"; exit 0' TERM
echo "$name prints   this"
[ -e "$STATE/die-$name" ] || : >"$STATE/up-$name"
while [ ! -e "$STATE/die-$name" ]; do sleep 0.02; done
echo "$name: port 9998 is taken" >&2
exit 1
"""

IOTCENTER = """#!/bin/sh
# The command line: "status" asks or waits for the daemon, "enroll" gives a token.
echo "iotcenter $*" >>"$CALLS"
case "$*" in
*status) [ -e "$STATE/up-iotcenter" ] || exit 1 ;;
*wait*) while [ ! -e "$STATE/up-iotcenter" ]; do sleep 0.02; done ;;
*enroll*) echo '{"token": "iot1_test", "line": "-"}' ;;
esac
"""

IOTDEVICE = """#!/bin/sh
echo "iotdevice $* with $(cat)" >>"$CALLS"
: >"$STATE/iotdevice-data/identity.pem"
"""


class ScriptCase(SynchronousTestCase):
    """A checkout of nothing but the scripts, and programs in front of the path that only pretend."""

    def setUp(self) -> None:
        self.root = Path(mkdtemp(prefix="iotcenter-scripts-"))
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copytree(ROOT / "script", self.root / "script")
        self.calls = self.root / "calls"
        self.calls.touch()
        self.environment = {**os.environ, "CALLS": str(self.calls), "STATE": str(self.root)}
        self.environment["PATH"] = f"{self.root}/fake:{os.environ['PATH']}"

    def program(self, path: str, text: str) -> None:
        """Write a program."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def shell(self, command: str) -> tuple[int, str]:
        """The status and the output of ``command`` once the functions of ``environment.sh`` are there."""
        script = f"set -euo pipefail; source {self.root}/script/environment.sh; {command}"
        done = subprocess.run(
            ["bash", "-c", script],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        return done.returncode, done.stdout


class FaultTests(SynchronousTestCase):
    """What can be seen without running them."""

    def test_shellcheck(self) -> None:
        """No script has any of the faults that shellcheck knows."""
        if shutil.which("shellcheck") is None:
            raise SkipTest("needs shellcheck")
        run("shellcheck", *sorted((ROOT / "script").iterdir()), ROOT / ".ci" / "run", cwd=ROOT)


class EnvironmentTests(ScriptCase):
    """``script/environment.sh``."""

    def test_missing_and_not_root(self) -> None:
        """Who is not root is told in one line what to type."""
        self.program("fake/id", "#!/bin/sh\necho 1000\n")
        status, output = self.shell("apt_install python3-venv")
        self.assertEqual(status, 1)
        self.assertEqual(output.count("\n"), 1)
        self.assertIn("sudo apt-get install python3-venv", output)

    def test_missing_and_root(self) -> None:
        """For root it is installed; where the package lists are too old for that, they are fetched first."""
        self.program("fake/id", "#!/bin/sh\necho 0\n")
        fails_at_first = (
            '#!/bin/sh\necho "$1" >>"$CALLS"; [ "$1" = update ] && : >"$STATE/lists"; [ -e "$STATE/lists" ]\n'
        )
        self.program("fake/apt-get", fails_at_first)
        self.assertEqual(self.shell("apt_install chromium npm"), (0, "Installing chromium npm (apt-get)...\n"))
        self.assertEqual(self.calls.read_text().split(), ["install", "update", "install"])

    def test_old_python(self) -> None:
        """A Python that is too old is refused in one line that says which is needed."""
        self.program("fake/python3", "#!/bin/sh\nexit 1\n")
        status, output = self.shell("check_python")
        self.assertEqual((status, output.count("\n")), (1, 1))
        self.assertIn("Python 3.11 or later is needed", output)

    def test_installs_once(self) -> None:
        """pip runs when something changed, and only then; after a failure it runs again."""
        self.program("env/bin/python", '#!/bin/sh\necho "$*" >>"$CALLS"; [ ! -e "$STATE/broken" ]\n')
        self.assertEqual(
            self.shell(f"install_when_changed {self.root}/env one Installing... x"), (0, "Installing...\n")
        )
        self.assertEqual(self.shell(f"install_when_changed {self.root}/env one Installing... x"), (0, ""))
        self.assertEqual(
            self.shell(f"install_when_changed {self.root}/env two Installing... x"), (0, "Installing...\n")
        )
        self.assertEqual(self.calls.read_text().count("pip install"), 2)

    def test_digest(self) -> None:
        """Any change of the sources gives another digest, as when a file goes; what Python leaves behind does not."""
        folder = self.root / "sources"
        self.program("sources/a.py", "1")
        self.program("sources/b.py", "2")
        digests = [self.shell("digest sources")[1]]
        self.program("sources/__pycache__/a.pyc", "x")
        self.assertEqual(self.shell("digest sources")[1], digests[0])
        (folder / "b.py").rename(folder / "c.py")
        digests.append(self.shell("digest sources")[1])
        (folder / "c.py").unlink()
        digests.append(self.shell("digest sources")[1])
        (folder / "a.py").write_text("3")
        digests.append(self.shell("digest sources")[1])
        self.assertEqual(len(set(digests)), 4)

    def test_bench_lists(self) -> None:
        """``script/bench`` without a name says which there are."""
        self.program("bench/idle_links.py", "")
        status, output = self.shell(f"{self.root}/script/bench")
        self.assertEqual(status, 2)
        self.assertIn("  idle_links\n", output)


class ServerTests(ScriptCase):
    """``script/server`` with daemons that only pretend, installed already."""

    def setUp(self) -> None:
        super().setUp()
        for folder in ("iotcenter", "device/iotdevice", "twisted", "web", "iotdevice-data"):
            (self.root / folder).mkdir(parents=True)
        for file in ("setup.py", "requirements.txt", "pyproject.toml"):
            (self.root / file).touch()
        self.program(".venv/bin/twistd", TWISTD)
        self.program(".venv/bin/iotcenter", IOTCENTER)
        self.program(".venv/bin/iotdevice", IOTDEVICE)
        self.program(".venv/bin/python", '#!/bin/sh\nexec python3 "$@"\n')
        sources = "iotcenter device/iotdevice twisted web setup.py requirements.txt pyproject.toml"
        (self.root / ".venv/installed").write_text(self.shell(f"digest {sources}")[1])

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the server."""
        process = subprocess.Popen(
            [self.root / "script/server", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(self.clean_up, process)
        return process

    def clean_up(self, process: subprocess.Popen[str]) -> None:
        """Leave nothing running, whatever became of the test."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)

    def wait_for(self, name: str, process: subprocess.Popen[str]) -> None:
        """Wait until the daemon ``name`` is up: it prints a line then."""
        assert process.stdout is not None
        for line in process.stdout:
            if line == f"{name} prints   this\n":
                return
        self.fail(f"{name} did not come up")

    def test_first_start(self) -> None:
        """The first start enrolls this machine, and passes the arguments on to the server."""
        process = self.start("--https", "9443", "--tls", "127.0.0.1:9998")
        self.wait_for("iotcenter", process)
        self.wait_for("iotdevice", process)
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)
        calls = self.calls.read_text().splitlines()
        data = self.root / "iotcenter-data"
        self.assertIn(f"--nodaemon --pidfile= iotcenter --data {data} --https 9443 --tls 127.0.0.1:9998", calls)
        enrolling = [call for call in calls if "enroll" in call]
        self.assertRegex(enrolling[0], rf"^iotcenter --data {data} enroll [a-z0-9-]+ --address 127.0.0.1 --json$")
        self.assertEqual(enrolling[1], f"iotdevice enroll - --data {self.root}/iotdevice-data with iot1_test")
        self.assertEqual(calls[-2:], ["stopped iotdevice", "stopped iotcenter"])

    def test_second_start(self) -> None:
        """The second start enrolls nothing: whoever removed the device meant it."""
        self.program("iotcenter-data/authority/root.pem", "ROOT\n")
        self.program("iotdevice-data/identity.pem", "KEY\nCERTIFICATE\nROOT\n")
        process = self.start()
        self.wait_for("iotdevice", process)
        self.assertNotIn("enroll", self.calls.read_text())

    def test_new_server(self) -> None:
        """Where the server's data is new, the device is enrolled again: it knows a server that is no more."""
        self.program("iotcenter-data/authority/root.pem", "ROOT\n")
        self.program("iotdevice-data/identity.pem", "KEY\nCERTIFICATE\nOTHER\n")
        process = self.start()
        self.wait_for("iotdevice", process)
        self.assertIn("enroll - --data", self.calls.read_text())
        self.assertIn("--replace", self.calls.read_text())

    def test_runs_already(self) -> None:
        """A second one on the same data leaves the first alone, and says so."""
        first = self.start()
        self.wait_for("iotdevice", first)
        second = self.start()
        _, errors = second.communicate(timeout=PATIENCE)
        self.assertEqual((second.returncode, first.poll()), (1, None))
        self.assertEqual(errors, f"script/server: a server runs on {self.root}/iotcenter-data already\n")

    def test_other_directory(self) -> None:
        """With --data the server keeps its data elsewhere, and the device beside it."""
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir()
        process = self.start("--data", str(elsewhere / "center"))
        self.wait_for("iotdevice", process)
        self.assertIn(f"iotdevice --data {elsewhere}/iotdevice-data", self.calls.read_text())

    def test_interrupted(self) -> None:
        """Ctrl-C, which goes to all processes of the terminal, stops both daemons in order."""
        process = self.start()
        self.wait_for("iotdevice", process)
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(self.calls.read_text().splitlines()[-2:], ["stopped iotdevice", "stopped iotcenter"])

    def test_does_not_start(self) -> None:
        """A server that cannot start says why in its own words; the status is 1, and no agent is started."""
        self.program("die-iotcenter", "")
        process = self.start()
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertTrue(
            errors.startswith("iotcenter: port 9998 is taken\nscript/server: the server did not start"), errors
        )
        self.assertNotIn(" iotdevice ", self.calls.read_text())

    def test_server_dies(self) -> None:
        """When the server dies, the agent is stopped, and the status is 1."""
        process = self.start()
        self.wait_for("iotdevice", process)
        self.program("die-iotcenter", "")
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("script/server: the server has ended", errors)
        self.assertEqual(self.calls.read_text().splitlines()[-1], "stopped iotdevice")

    def test_agent_dies(self) -> None:
        """When the agent dies, the server is stopped, and the status is 1."""
        process = self.start()
        self.wait_for("iotdevice", process)
        self.program("die-iotdevice", "")
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("script/server: the agent has ended", errors)
        self.assertEqual(self.calls.read_text().splitlines()[-1], "stopped iotcenter")
