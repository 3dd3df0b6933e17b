"""The C core under arbitrary input; ``bench/chips.py`` does the same for longer, led by coverage."""

from __future__ import annotations

from random import randrange

from twisted.trial.unittest import SynchronousTestCase

from tests.chips.toolchain import HERE, HOST, compiled, missing, output

INPUTS = 10_000


class FuzzTests(SynchronousTestCase):
    """Sanitizers watch."""

    skip = missing("gcc")

    def test_arbitrary_input(self) -> None:
        """Whatever comes in, from strangers and from the server, and whatever the application does, nothing breaks."""
        program = compiled("fuzz", (*HOST, "-DSTANDALONE", str(HERE / "fuzz.c")))
        seed = randrange(2**31)
        try:
            output(str(program), str(seed), str(INPUTS))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from None
