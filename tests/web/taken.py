"""Every struct that the API takes, for tests that try them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import iotcenter.web.api.routes  # noqa: F401 - loads every module that has such structs
from iotcenter.web.api.taken import Taken


def _below(kind: type[Taken]) -> Iterator[type[Taken]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


TAKEN: Sequence[type[Taken]] = sorted(_below(Taken), key=lambda kind: kind.__name__)
"""By name, so that the same seed leads to the same struct."""
