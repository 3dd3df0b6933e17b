"""``iotdevice enroll``: all that makes a directory an enrolled device's."""

from __future__ import annotations

from pathlib import Path

from iotcenter.wire.errors import WireError
from iotcenter.wire.token import MAX_LENGTH, Token, parse_token
from iotdevice.apps import start_app
from iotdevice.config import Address
from iotdevice.credentials import FILE, BadCredentials, load_credentials
from iotdevice.enrollment import EnrollmentFailed, enroll
from iotdevice.lock import DataLock, Locked
from iotdevice.running import run_with_reactor

MAX_LINE = 2 * MAX_LENGTH
"""The longest line that is read where a token is expected, white space and all."""


class NotJoined(Exception):
    """The device was not enrolled; the text says why."""


def join(text: str, directory: Path, replace: bool, with_app: bool) -> str:
    """Enroll the device of ``directory`` with the token in ``text``; the answer is what to tell the user. Raises
    ``NotJoined``."""
    try:
        token = parse_token(text)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DataLock(directory)
    except (WireError, Locked) as error:
        raise NotJoined(str(error)) from None
    except OSError as error:
        raise NotJoined(f"{directory} cannot be written: {error.strerror}") from None
    try:
        if not replace:
            _refuse_enrolled(directory)
        name = _enroll(token, directory)
        app = start_app(directory) if with_app else None
    except OSError as error:
        raise NotJoined(f"{directory} cannot be written: {error.strerror}") from None
    finally:
        lock.release()
    joined = f"Enrolled as {name} at {Address(token.host, token.port)}."
    return f"{joined}\nThe application to start from is {app}." if app else joined


def _refuse_enrolled(directory: Path) -> None:
    try:
        credentials = load_credentials(directory)
    except BadCredentials as error:
        raise NotJoined(str(error)) from None
    if credentials is not None:
        raise NotJoined(f"this device is enrolled already ({directory / FILE}); --replace makes it another one")


def _enroll(token: Token, directory: Path) -> str:
    try:
        return run_with_reactor(lambda reactor: enroll(reactor, token, directory)).name
    except EnrollmentFailed as error:
        raise NotJoined(str(error)) from None
