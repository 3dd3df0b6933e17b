"""What a packager and a user get: the wheel, the sdist, and what either leaves in site-packages."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

import iotcenter
import iotdevice
from tests.support import NO_SOURCE, REQUIREMENTS, ROOT, Environment, copy_of_the_tree, run

INSTALLED_AS = {
    "iotcenter": "iotcenter",
    "device/iotdevice": "iotdevice",
    "twisted": "twisted",
    "web": "iotcenter/assets",
}
"""Where the files of a folder of the repository belong in site-packages."""


def files_of_the_tree() -> set[str]:
    """The files that the packages consist of, as they are to lie in site-packages."""
    found = set()
    for folder, installed in INSTALLED_AS.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not NO_SOURCE(str(path), list(path.parts)):
                found.add(f"{installed}/{path.relative_to(ROOT / folder)}")
    return found


class Built:
    """The wheel and the sdist, built as a packager builds them, the wheel from the sdist."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="iotcenter-packaging-")
        self.folder = Path(self._folder.name)
        tree = copy_of_the_tree(self.folder)
        run(sys.executable, "-m", "build", "--no-isolation", cwd=tree)
        (self.wheel,), (self.sdist,) = (tree / "dist").glob("*.whl"), (tree / "dist").glob("*.tar.gz")


@cache
def built() -> Built:
    """One build for all tests, since it takes seconds. It goes when the tests are over."""
    return Built()


class PackagingTests(SynchronousTestCase):
    """What a packager and a user get."""

    def test_version(self) -> None:
        """The server and the agent, which come together, are of one version."""
        self.assertEqual(iotcenter.__version__, iotdevice.__version__)

    def test_wheel(self) -> None:
        """The wheel holds every file of every package, where it belongs, and nothing else."""
        with zipfile.ZipFile(built().wheel) as archive:
            held = {name for name in archive.namelist() if ".dist-info/" not in name}
        self.assertEqual(held, files_of_the_tree())

    def test_sdist(self) -> None:
        """The sdist holds ``web/`` once, though the checkout shows it in two places."""
        with tarfile.open(built().sdist) as archive:
            twice = [name for name in archive.getnames() if "/iotcenter/assets" in name]
        self.assertEqual(twice, [])

    def test_wheel_installed(self) -> None:
        """Installed from the wheel, both daemons and both programs start, from any working directory."""
        self.check_installed(built().wheel)

    def test_sdist_installed(self) -> None:
        """Installed from the sdist, they do so too."""
        self.check_installed(built().sdist)

    def check_installed(self, package: Path) -> None:
        """Install ``package``, see that nothing but ours landed, and run what it brought."""
        folder = built().folder / f"installed{package.suffix}"
        environment = Environment(folder)
        environment.install(package, cwd=folder)
        landed = {path.name for path in environment.site.iterdir() if path.suffix != ".dist-info"}
        self.assertEqual(landed - {REQUIREMENTS, "__pycache__"}, {"iotcenter", "iotdevice", "twisted"})
        for program in ("iotcenter", "iotdevice"):
            run(environment.programs / program, "--help", cwd=folder)
            run(environment.programs / "twistd", program, "--help", cwd=folder)
