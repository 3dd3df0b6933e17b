"""What shells complete."""

from __future__ import annotations

import shutil
import subprocess

from twisted.trial.unittest import SkipTest

from tests.cli.support import CommandLineCase

ASK = """
{script}
COMP_WORDS=(iotcenter user "") COMP_CWORD=2 COMP_LINE="iotcenter user " COMP_POINT=15 COMP_TYPE=9
_shtab_iotcenter
echo "${{COMPREPLY[@]}}"
"""


class CompletionTests(CommandLineCase):
    """``iotcenter completion``; no server need run."""

    def test_bash(self) -> None:
        """After a command, bash offers the ones behind it."""
        bash = shutil.which("bash")
        if bash is None:
            raise SkipTest("there is no bash")
        script = self.line("completion", "bash")
        done = subprocess.run([bash, "-c", ASK.format(script=script)], capture_output=True, text=True, timeout=60)
        self.assertLessEqual({"list", "add", "passwd", "role", "remove", "reset-link"}, set(done.stdout.split()))

    def test_every_shell(self) -> None:
        """Each shell that is offered has a script."""
        for shell in ("bash", "zsh", "tcsh"):
            self.assertIn("reset-link", self.line("completion", shell))
