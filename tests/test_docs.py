"""What the documentation shows is what the programs take."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.cli.parser import make_parser
from iotcenter.config import load_config
from iotcenter.service import find_transports
from iotdevice.config import Settings, load_settings

ROOT = Path(__file__).parent.parent


def blocks(document: str, language: str) -> list[str]:
    """The examples in a document."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


class ConfigurationTests(SynchronousTestCase):
    """``docs/configuration.md``."""

    def setUp(self) -> None:
        self.folder = Path(mkdtemp(prefix="iotcenter-docs-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_server(self) -> None:
        """The server's settings are shown with their defaults, and there are no others."""
        shown, own_certificate, _ = blocks("docs/configuration.md", "toml")
        file = self.folder / "iotcenter.toml"
        file.write_text(shown)
        kinds = {name: transport.settings for name, transport in find_transports().items()}
        config = load_config(file, {}, kinds)
        self.assertEqual(replace(config, file=None), load_config(None, {}, kinds))
        for settings in (config.web, config.ssh, config.log, config.backup, config.files, *config.transports.values()):
            for key in settings.__struct_fields__:
                self.assertRegex(shown, rf"(?m)^{key} = ")
        file.write_text(own_certificate)
        self.assertEqual(load_config(file, {}, {}).web.names, ("center.example.org",))

    def test_device(self) -> None:
        """A device's settings are shown with their defaults."""
        (self.folder / "iotdevice.toml").write_text(blocks("docs/configuration.md", "toml")[2])
        shown = load_settings(self.folder)
        self.assertEqual(shown, Settings(server=shown.server, app=shown.app))


class ReadmeTests(SynchronousTestCase):
    """``README.md``."""

    def test_application(self) -> None:
        """The application that it shows is one."""
        names: dict[str, Any] = {}
        exec(blocks("README.md", "python")[0], names)
        self.assertEqual(names["app"].sensors["temperature"].every, 10)
        self.assertTrue(names["app"].commands["relay"].signature.offer.confirm)

    def test_command_lines(self) -> None:
        """The command lines that it shows can be typed."""
        lines = [
            line for block in blocks("README.md", "sh") for line in block.splitlines() if line.startswith("iotcenter ")
        ]
        self.assertGreater(len(lines), 1)
        for line in lines:
            make_parser().parse_args(shlex.split(line)[1:])

    def test_links(self) -> None:
        """The files that it points to are there."""
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text()):
            self.assertTrue((ROOT / target).exists(), target)
