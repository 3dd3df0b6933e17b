"""Options of all programs are written out: an abbreviation of one is not taken for it."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Iterator
from types import ModuleType

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from iotcenter import service as server
from iotcenter.cli.parser import make_parser
from iotdevice import cli as device
from iotdevice import service as agent


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """``parser``, and those of all its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


class OptionTests(SynchronousTestCase):
    """Who means one thing shall not get another, today or with an option that comes later."""

    def check_daemon(self, module: ModuleType, whole: str, cut: str) -> None:
        """A daemon takes an option as it is, with its value in either place, and not without its end."""
        for words in ([f"--{whole}=off"], [f"--{whole}", "off"]):
            options = module.Options()
            options.parseOptions(words)
            self.assertEqual(options[whole], "off")
        for words in ([f"--{cut}=off"], [f"--{cut}", "off"]):
            error = self.assertRaises(UsageError, module.Options().parseOptions, words)
            self.assertEqual(str(error), f"there is no option --{cut}")

    def test_server(self) -> None:
        """Who means HTTP with ``--http`` does not get HTTPS."""
        self.check_daemon(server, "https", "http")

    def test_agent(self) -> None:
        """The agent of a device is as strict."""
        self.check_daemon(agent, "app", "ap")

    def test_commands(self) -> None:
        """So are all commands, the server's and the device's."""
        for top in (make_parser(), device._parser()):
            for parser in parsers(top):
                with contextlib.redirect_stderr(io.StringIO()) as said:
                    self.assertRaises(SystemExit, parser.parse_args, ["--hel"])
                self.assertIn("error:", said.getvalue(), parser.prog)
