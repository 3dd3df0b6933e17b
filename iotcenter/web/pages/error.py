"""The page that tells somebody what went wrong, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from iotcenter.center.errors import UnknownDevice
from iotcenter.model import Device
from iotcenter.texts import N_, _
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.pages.rendering import Renderer, sentence
from iotcenter.web.parts import Parts
from iotcenter.web.phrases import retold
from iotcenter.web.principal import Principal

TITLES = {
    400: N_("That request makes no sense"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("Not that way"),
    409: N_("Not now"),
    413: N_("Too much at once"),
    421: N_("Another name"),
    422: N_("Something does not fit"),
    429: N_("Too fast"),
    503: N_("The server cannot do that now"),
}
"""What stands at the top, by status; every other trouble is the server's own."""

NEAR = 3
"""The most names that are offered instead of one that is not there."""


class NoSuchDevice(HTTPProblem):
    """There is no device of that name; ``near`` are those of the ``known`` names that may have been meant."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(404, "unknown_device", _("there is no device named %(name)s", name=name[:63]))
        self.near = tuple(get_close_matches(name.lower(), known, NEAR, 0.5))


class ErrorPages:
    """Renders problems."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def render(self, problem: HTTPProblem, principal: Principal | None) -> str:
        """The page about ``problem``; ``principal`` is None for those who are not signed in."""
        return self._renderer.render(
            "error.html",
            principal,
            problem=problem,
            title=_(TITLES.get(problem.status, N_("Something went wrong"))),
            message=sentence(retold(problem.message)),
            near=problem.near if isinstance(problem, NoSuchDevice) else (),
        )


def find_device(parts: Parts, name: str) -> Device:
    """The device of that name. Raises ``NoSuchDevice``, which knows those with names like it."""
    try:
        return parts.center.devices.get(name)
    except UnknownDevice:
        raise NoSuchDevice(name, parts.center.devices.names()) from None
