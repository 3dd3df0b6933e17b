"""The newcomer's way in a shell: ``script/server`` in a fresh clone, all of it real but the download of packages."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.request import urlopen

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import free_port
from tests.support import Environment, copy_of_the_tree, outside_the_checkout

PATIENCE = 60.0
"""Seconds after which something that should have happened is a failure."""

MOST_WORK = 10.0
"""Seconds of processor time that a second start may take: one or two here, and a board is slower."""

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
"""Has pip take what is there. (The last reads the wrong way round: it turns the isolation off.)"""


class FirstRunTests(SynchronousTestCase):
    """A clone, and one command."""

    def setUp(self) -> None:
        folder = Path(mkdtemp(prefix="iotcenter-first-run-"))
        self.addCleanup(shutil.rmtree, folder)
        self.tree = copy_of_the_tree(folder)
        self.page = f"127.0.0.1:{free_port()}"
        Environment(self.tree / ".venv")

    def start(self) -> subprocess.Popen[str]:
        """Type the command."""
        server = subprocess.Popen(
            [
                self.tree / "script/server",
                "--web",
                self.page,
                "--https",
                "127.0.0.1:0",
                "--tls",
                "127.0.0.1:0",
                "--udp",
                "127.0.0.1:0",
            ],
            env={**outside_the_checkout(), **OFFLINE},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(self.clean_up, server)
        return server

    def clean_up(self, server: subprocess.Popen[str]) -> None:
        """Leave nothing running, whatever became of the test."""
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.communicate()

    def stop(self, server: subprocess.Popen[str]) -> str:
        """Press Ctrl-C; all that was printed."""
        os.killpg(server.pid, signal.SIGINT)
        output, _ = server.communicate(timeout=PATIENCE)
        self.assertEqual(server.returncode, 0)
        return output

    def ask(self, *words: str) -> Any:
        """What the command line answers; None where it fails, or is not there yet."""
        program = self.tree / ".venv/bin/iotcenter"
        if not program.exists():
            return None
        line: list[str | Path] = [program, "--data", self.tree / "iotcenter-data", *words, "--json"]
        done = subprocess.run(line, env=outside_the_checkout(), capture_output=True, text=True, check=False)
        return None if done.returncode else json.loads(done.stdout)

    def wait_for(self, what: str, happened: Callable[[], Any]) -> Any:
        """What ``happened`` gives once it is something."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := happened():
                return found
            time.sleep(0.1)  # between two looks, each of which starts a program
        self.fail(f"{what} did not happen")

    def device(self) -> Any:
        """The one device, once it is online and has reported."""
        devices = self.ask("device", "list") or []
        return next((one for one in devices if one["state"] == "online" and one["account"]["received"]), None)

    def test_from_clone_to_reading(self) -> None:
        """One command ends in a server with this machine as its first device, which reports and takes commands."""
        server = self.start()
        device = self.wait_for("the first reading", self.device)
        self.assertIn("load", [series["name"] for series in device["series"] if series["value"] is not None])
        answer = self.ask("command", device["name"], "identify", "seconds=1")
        self.assertEqual(answer["state"], "done")
        columns = self.ask("readings", device["name"], "load")
        self.assertGreater(len(columns["t"]), 0)
        self.check_pages()
        output = self.stop(server)
        self.assertIn("Installing (once", output)
        self.assertRegex(output, r"(?m)^    https://\S+/setup\?t=\S+$")
        self.assertIsNone(self.ask("status"))

    def check_pages(self) -> None:
        """What was installed has its pages, and what they are made of."""
        with urlopen(f"http://{self.page}/", timeout=PATIENCE) as page:
            text = page.read().decode()
        static = re.findall(r'"(/static/[^"]+)"', text)
        self.assertGreater(len(static), 0)
        for path in static:
            with urlopen(f"http://{self.page}{path}", timeout=PATIENCE) as file:
                self.assertEqual(file.status, 200)

    def test_second_start(self) -> None:
        """The second start installs nothing, enrolls nothing, prints no new link, and is little work."""
        first = self.start()
        device = self.wait_for("the first reading", self.device)
        self.stop(first)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        second = self.start()
        self.assertIsNotNone(self.ask("status", "--wait", f"{PATIENCE:g}"))
        (again,) = self.ask("device", "list")
        output = self.stop(second)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertEqual(again["id"], device["id"])
        for words in ("Installing", "Adding", "setup?t="):
            self.assertNotIn(words, output)
        self.assertLess(after.ru_utime - before.ru_utime, MOST_WORK)
