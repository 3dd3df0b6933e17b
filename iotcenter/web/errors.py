"""What goes wrong with a request, and which status, code and words it gets."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.center.errors import DeviceOffline, TooManyCommands, TunnelRefused, UnknownCommand, UnknownDevice
from iotcenter.identity.errors import Overloaded, TooManyTries, Unfit
from iotcenter.interfaces import Refused
from iotcenter.listening import CannotOpen
from iotcenter.storage.errors import LastAdmin, NameTaken, NotFound, NotRedeemable, StorageError, TookTooLong, TooMuch
from iotcenter.texts import _
from iotcenter.web.phrases import retold
from iotcenter.wire.arguments import ArgumentsError

log = Logger()


class ErrorDetail(Struct, frozen=True, omit_defaults=True):
    """What went wrong: a word for programs, a sentence for people, and what is wrong with single fields."""

    code: str
    message: str
    fields: dict[str, str] = {}
    incident: str = ""


class ErrorAnswer(Struct, frozen=True):
    """What every answer with a status of 400 and above bears."""

    error: ErrorDetail


class HTTPProblem(Exception):
    """A request cannot be answered as it was asked.

    ``code`` is a word for programs, ``message`` a sentence for people, ``fields`` says for single fields what is wrong
    with them. ``incident`` is the mark by which an error of ours is found in the log.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        incident: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})
        self.incident = incident

    def as_json(self) -> bytes:
        """The body of an answer to a program, or to a script of a page: in the language of its reader."""
        fields = {name: retold(words) for name, words in self.fields.items()}
        return msgspec.json.encode(ErrorAnswer(ErrorDetail(self.code, retold(self.message), fields, self.incident)))


def problem_of(error: Exception) -> HTTPProblem:
    """What ``error`` is to the one who asked. One that nobody foresaw is ours: it is logged, and they are told its mark
    alone."""
    if isinstance(error, HTTPProblem):
        return error
    for kind, explain in _EXPLANATIONS:
        if isinstance(error, kind):
            return explain(error)
    return _our_fault()


def _our_fault() -> HTTPProblem:
    incident = secrets.token_hex(4)
    log.failure("Incident {incident}: a request failed", failure=Failure(), incident=incident)
    return HTTPProblem(
        500,
        "internal",
        _("Something went wrong in the server. Its log says more at incident %(incident)s.", incident=incident),
        incident=incident,
    )


def _plain(status: int, code: str, **headers: str) -> Callable[[Any], HTTPProblem]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda error: HTTPProblem(status, code, str(error), headers=named)


def _arguments(error: ArgumentsError) -> HTTPProblem:
    problems = "; ".join(f"{name}: {retold(problem)}" for name, problem in error.problems.items())
    words = _("some arguments do not fit: %(problems)s", problems=problems)
    return HTTPProblem(422, "arguments", words, error.problems)


def _unfit(error: Unfit) -> HTTPProblem:
    return HTTPProblem(422, "invalid", str(error), {error.field: str(error)})


def _too_many_tries(error: TooManyTries) -> HTTPProblem:
    return HTTPProblem(429, "too_many_tries", str(error), headers={"Retry-After": str(error.retry_after)})


def _too_much(error: TooMuch) -> HTTPProblem:
    return HTTPProblem(422, "too_much", str(error), {"step": f"must be at least {error.step}"})


_EXPLANATIONS: tuple[tuple[type[Exception], Callable[[Any], HTTPProblem]], ...] = (
    (UnknownDevice, _plain(404, "unknown_device")),
    (UnknownCommand, _plain(404, "unknown_command")),
    (DeviceOffline, _plain(409, "device_offline")),
    (TooManyCommands, _plain(429, "too_many_commands")),
    (TunnelRefused, _plain(409, "tunnel_refused")),
    (CannotOpen, _plain(409, "cannot_listen")),
    (ArgumentsError, _arguments),
    (Unfit, _unfit),
    (TooManyTries, _too_many_tries),
    (Overloaded, _plain(503, "busy", Retry_After="2")),
    (Refused, _plain(403, "refused")),
    (NotFound, _plain(404, "not_found")),
    (NameTaken, _plain(409, "name_taken")),
    (LastAdmin, _plain(409, "last_admin")),
    (NotRedeemable, _plain(410, "not_redeemable")),
    (TooMuch, _too_much),
    (TookTooLong, _plain(422, "took_too_long")),
    (StorageError, _plain(503, "storage", Retry_After="10")),
)
"""From the special to the general: the first that fits is taken."""
