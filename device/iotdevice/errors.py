"""What a person reads of an exception in the application."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_TEXT = 1000
"""The longest description: it must fit a message, and a line that somebody reads."""


def describe(error: BaseException, file: str | None = None) -> str:
    """The last line of the traceback, and the last place in ``file`` on the way there: ``OSError: no device (app.py,
    line 12)``."""
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    place = f" ({_place(error, file)})" if _place(error, file) else ""
    return printable(text, MAX_TEXT - len(place)) + printable(place)


def printable(text: str, most: int = MAX_TEXT) -> str:
    """``text`` as a message can carry it: at most so long, and Unicode, which names of files need not be."""
    return text[:most].encode(errors="replace").decode()


def file_of(function: Callable[..., Any]) -> str | None:
    """The file that ``function`` was written in."""
    return getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", None)


def _place(error: BaseException, file: str | None) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file] or frames
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""
