"""Whether a request that changes something was really meant by the one whose cookie comes with it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from twisted.web.server import Request

from iotcenter.texts import _
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.headers import header, headers
from iotcenter.web.hosts import host_of
from iotcenter.web.principal import Principal, Via

SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS"))
"""The methods that change nothing, and so need no proof."""

FIELD = "csrf"
"""The hidden field of forms; scripts send the header ``X-CSRF-Token`` instead."""


def check_origin(request: Request, door: Door) -> None:
    """Raise ``HTTPProblem`` where a browser says that another site's page made it ask.

    It holds for everything that changes something, signing in included, unless it comes with a token of the API or over
    the control socket, which no browser adds by itself. Behind a proxy that ends TLS the schemes differ, so on the HTTP
    door they are not compared.
    """
    if request.method in SAFE_METHODS or door is Door.CONTROL or header(request, "authorization") is not None:
        return
    sites = set(headers(request, "sec-fetch-site"))
    origins = {origin.lower() for origin in headers(request, "origin")}
    if not sites <= {"same-origin", "none"} or (origins and not origins <= _own(host_of(request, door), door)):
        raise HTTPProblem(403, "foreign_origin", _("another site's page asked for this: nothing was done"))


def check_token(request: Request, principal: Principal | None, form: Mapping[str, str] | None) -> None:
    """Raise ``HTTPProblem`` where something is to be changed in a session, and the request does not bear its token."""
    if request.method in SAFE_METHODS or principal is None or principal.via is not Via.SESSION:
        return
    given = header(request, "x-csrf-token") or (form or {}).get(FIELD, "")
    if not principal.csrf or not hmac.compare_digest(given.encode(), principal.csrf.encode()):
        raise HTTPProblem(
            403, "csrf", _("this form is not from your session, or is too old: go back, load the page again, and retry")
        )


def _own(host: str, door: Door) -> set[str]:
    return {f"https://{host}"} if door is Door.HTTPS else {f"http://{host}", f"https://{host}"}
