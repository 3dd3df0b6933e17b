"""Input that was bred to break the parsers breaks none."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.faults.fuzzing import fuzz

SECONDS = 20
"""How long each parser is fuzzed: a minute of work in all."""

FEW = 500
"""As many inputs are tried in that time where the machine has much else to do: fewer, and the fuzzer did not work."""


class GuidedTests(TestCase):
    """All that read the bytes of strangers: over TLS, HTTP, UDP and SSH."""

    if find_spec("atheris") is None:
        skip = "needs atheris, which there is for x86-64 alone"

    async def test_survive(self) -> None:
        """Whatever comes, it is taken or refused in words, and memory stays as it was."""
        from twisted.internet import reactor

        for name, outcome in (await fuzz(reactor, SECONDS, Path(self.mktemp()))).items():
            with self.subTest(name):
                self.assertEqual(outcome.status, 0, outcome.said[-5000:])
                self.assertGreater(outcome.inputs, FEW)
