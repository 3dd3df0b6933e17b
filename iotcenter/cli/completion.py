"""``iotcenter completion``: what a shell needs to complete the words of this command line."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from iotcenter.cli.api import Api
from iotcenter.cli.output import Answer

SHELLS = ("bash", "zsh", "tcsh")


def completion_of(make_parser: Callable[[], ArgumentParser]) -> Callable[[Api, Namespace], Answer]:
    """The command for what ``make_parser`` makes."""

    def completion(api: Api, given: Namespace) -> Answer:
        """A script that completes the words of this command line: eval "$(iotcenter completion bash)"."""
        import shtab  # here, since no other command needs it

        script: str = shtab.complete(make_parser(), given.shell)
        return Answer({"shell": given.shell, "script": script}, lambda: print(script))

    return completion
