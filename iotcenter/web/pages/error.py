"""The page that tells somebody what went wrong, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from iotcenter.center.errors import UnknownDevice
from iotcenter.model import Device
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.pages.rendering import Renderer, sentence
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal

TITLES = {
    400: "That request makes no sense",
    403: "Not allowed",
    404: "Not found",
    405: "Not that way",
    409: "Not now",
    413: "Too much at once",
    421: "Another name",
    422: "Something does not fit",
    429: "Too fast",
    503: "The server cannot do that now",
}
"""What stands at the top, by status; every other trouble is the server's own."""

NEAR = 3
"""The most names that are offered instead of one that is not there."""


class NoSuchDevice(HTTPProblem):
    """There is no device of that name; ``near`` are those that may have been meant."""

    def __init__(self, name: str, devices: Iterable[Device]) -> None:
        super().__init__(404, "unknown_device", f"there is no device named {name[:63]}")
        self.near = tuple(get_close_matches(name.lower(), [device.name for device in devices], NEAR, 0.5))


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
            title=TITLES.get(problem.status, "Something went wrong"),
            message=sentence(problem.message),
            near=problem.near if isinstance(problem, NoSuchDevice) else (),
        )


def find_device(parts: Parts, name: str) -> Device:
    """The device of that name. Raises ``NoSuchDevice``, which knows those with names like it."""
    try:
        return parts.center.devices.get(name)
    except UnknownDevice:
        raise NoSuchDevice(name, parts.center.devices.all()) from None
