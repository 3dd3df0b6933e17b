"""What a command's docstring says, to the one who is about to send it."""

from __future__ import annotations

import re
from collections.abc import Container

from iotcenter.model import MAX_TEXT


def explain(docstring: str, arguments: Container[str]) -> tuple[str, dict[str, str]]:
    """The first paragraph, and what the lines ``name: help`` say of the arguments of those names.

    ::

        '''Switch the relay.

        on: whether it is to be on
        seconds: how long; 0 is for good
        '''
    """
    helps = {}
    kept = []
    for line in docstring.splitlines():
        match = re.match(r"\s*(\w+)\s*:\s*(.+)", line)
        if match and match[1] in arguments:
            helps[match[1]] = _cut(match[2].strip())
        else:
            kept.append(line.strip())
    return _cut(" ".join(_first_paragraph(kept))), helps


def _first_paragraph(lines: list[str]) -> list[str]:
    return lines[: lines.index("")] if "" in lines else lines


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
