"""What goes wrong with identities."""

from __future__ import annotations

import math

from iotcenter.interfaces import Refused
from iotcenter.texts import _


class IdentityError(Exception):
    """A key, certificate or setting is not what it must be; the text is one line for the operator, without secrets."""


class Unfit(Refused):
    """What somebody entered cannot be taken. ``field`` names the argument at fault, for the form that asked."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class TooManyTries(Refused):
    """Somebody tries too fast. ``retry_after`` says in how many seconds they may try again."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = math.ceil(retry_after)
        super().__init__(_("too many tries: try again in %(seconds)s s", seconds=self.retry_after))


class Overloaded(Refused):
    """More people sign in at this moment than the server can check."""

    def __init__(self) -> None:
        super().__init__(_("the server is busy with other sign-ins: try again in a moment"))
