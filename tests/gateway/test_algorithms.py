"""What the gateway offers to strangers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.daemons import ServerProcess
from tests.gateway.openssh import missing
from tests.support import need


class AlgorithmTests(TestCase):
    """The judgement of ssh-audit, which knows what is weak."""

    async def test_none_fails(self) -> None:
        """ssh-audit finds no algorithm that fails; the newest key exchange is among those offered."""
        from twisted.internet import reactor

        need(missing())
        program = Path(sys.executable).with_name("ssh-audit")
        need("" if program.exists() else "not installed: ssh-audit (see tests/requirements.txt)")
        folder = Path(mkdtemp(prefix="iotcenter-audit-"))
        self.addCleanup(shutil.rmtree, folder)
        server = ServerProcess(reactor, folder)
        self.addCleanup(server.kill)
        await server.start()
        words = [str(program), "--json", "--skip-rate-test", "-p", str(server.ssh), "127.0.0.1"]
        done: Any = await deferToThread(subprocess.run, words, capture_output=True, text=True, timeout=60)
        report = json.loads(done.stdout)
        offered = [(kind, one) for kind in ("kex", "key", "enc", "mac") for one in report[kind]]
        self.assertGreater(len(offered), 5)
        failing = [(kind, one["algorithm"]) for kind, one in offered if one.get("notes", {}).get("fail")]
        self.assertEqual(failing, [])
        self.assertIn("mlkem768x25519-sha256", [one["algorithm"] for kind, one in offered if kind == "kex"])
