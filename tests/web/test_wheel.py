"""The agent's wheel."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from iotcenter import __version__
from iotcenter.web.wheel import make_wheel


class WheelTests(SynchronousTestCase):
    """What devices get."""

    def test_reproducible(self) -> None:
        """The same files give the same bytes."""
        self.assertEqual(make_wheel(), make_wheel())

    def test_contents(self) -> None:
        """The agent is in it, and nothing of the server but what they share."""
        archive = zipfile.ZipFile(io.BytesIO(make_wheel().content))
        names = set(archive.namelist())
        server = {name for name in names if name.startswith("iotcenter/")}
        self.assertTrue({"iotdevice/__init__.py", "twisted/plugins/iotdevice_plugin.py"} <= names)
        shared = ("iotcenter/__init__.py", "iotcenter/model.py", "iotcenter/wire/")
        self.assertEqual([name for name in server if not name.startswith(shared)], [])
        self.assertEqual([name for name in names if name.endswith(".pyc") or "__pycache__" in name], [])
        metadata = archive.read(f"iotdevice-{__version__}.dist-info/METADATA").decode()
        self.assertIn("Requires-Dist: Twisted", metadata)
        self.assertNotIn("#", metadata)

    def test_record(self) -> None:
        """RECORD has the hash and the size of each file."""
        archive = zipfile.ZipFile(io.BytesIO(make_wheel().content))
        [record] = [name for name in archive.namelist() if name.endswith("RECORD")]
        rows = {path: (digest, size) for path, digest, size in csv.reader(io.StringIO(archive.read(record).decode()))}
        self.assertEqual(set(rows), set(archive.namelist()))
        self.assertEqual(rows.pop(record), ("", ""))
        for path, (digest, size) in rows.items():
            content = archive.read(path)
            found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            self.assertEqual((digest, size), (f"sha256={found}", str(len(content))))

    def test_installs(self) -> None:
        """pip installs it, and what it installed runs by itself, as a program and as a plugin of twistd."""
        wheel, folder = make_wheel(), Path(self.mktemp())
        folder.mkdir()
        file, target = folder / wheel.name, folder / "target"
        file.write_bytes(wheel.content)
        install = (*("install", "--no-deps", "--no-index", "--no-compile", "--quiet", "--target"), target, file)
        subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *install], check=True)
        program = (
            "import iotdevice.service, iotcenter.wire.codec, twisted.plugins;"
            "assert iotdevice.__file__.startswith({0!r}) and iotcenter.__file__.startswith({0!r});"
            "assert any(folder.startswith({0!r}) for folder in twisted.plugins.__path__)"
        ).format(str(target.absolute()))
        environment = {"PYTHONPATH": str(target.absolute())}
        subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=folder)
        shown = subprocess.run(
            [sys.executable, target / "bin" / "iotdevice", "--help"], check=True, env=environment, capture_output=True
        )
        self.assertIn(b"enroll", shown.stdout)
