"""What several tests need: to be skipped where something is missing, the sources as a clone has them, and fresh Python
environments without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

from twisted.trial.unittest import SkipTest

ROOT = Path(__file__).parent.parent

SOURCES = ("iotcenter", "device", "twisted", "web", "script", "docs")
FILES = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "requirements.txt")
NO_SOURCE = shutil.ignore_patterns("__pycache__", "dropin.cache", "*.egg-info")

REQUIREMENTS = "requirements-of-the-tests.pth"
"""Where a fresh environment is told of the one that the tests run in."""

TWISTD = "#!{python}\nfrom twisted.scripts.twistd import run\nrun()\n"


def run(*command: str | Path, cwd: Path) -> str:
    """What ``command`` prints; a test fails with it where the command fails."""
    done = subprocess.run(command, cwd=cwd, env=outside_the_checkout(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def need(reason: str) -> None:
    """Skip a test for a reason, where there is one. In CI a run in which a test was skipped is not good."""
    if reason:
        raise SkipTest(reason)


def outside_the_checkout() -> dict[str, str]:
    """The environment of this process without what leads to the checkout."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def copy_of_the_tree(folder: Path) -> Path:
    """The sources as a fresh clone has them: builds leave things behind, and the checkout is to stay clean."""
    copy = folder / "tree"
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=NO_SOURCE)
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    return copy


class Environment:
    """A fresh virtual environment that finds the requirements where the tests do."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=True)
        self.programs = folder / "bin"
        self.site = next(folder.glob("lib/python*/site-packages"))
        (self.site / REQUIREMENTS).write_text(sysconfig.get_path("purelib") + "\n")
        twistd = self.programs / "twistd"
        twistd.write_text(TWISTD.format(python=self.programs / "python"))
        twistd.chmod(0o755)

    def install(self, package: Path, cwd: Path) -> None:
        """Install a wheel or an sdist."""
        options = ["--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed"]
        run(self.programs / "python", "-m", "pip", "install", *options, package, cwd=cwd)
