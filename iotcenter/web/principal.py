"""Who asks: by the session cookie of a browser, by an API token, or over the control socket."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from twisted.web.server import Request

from iotcenter.model import Preferences, Role, User
from iotcenter.texts import _
from iotcenter.web.clocks import asked_languages
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.headers import header, peer

if TYPE_CHECKING:
    from iotcenter.web.parts import Parts

SESSION_LIFETIME = 90 * 86400
"""Seconds for which browsers keep the cookie: as long as a session can last."""

SCREEN_LIFETIME = 400 * 86400
"""Seconds for which a screen's browser keeps its token: as long as browsers do. The token itself may end sooner."""

MAX_SECRET = 256
"""The longest cookie or token that is looked up: ours are far shorter."""


class Via(Enum):
    """How somebody proved who they are."""

    SESSION = "session"
    TOKEN = "token"
    SCREEN = "screen"
    LOCAL = "local"


@dataclass(frozen=True)
class Principal:
    """Somebody who may do what their role may. ``csrf`` is what the forms of their session carry.

    ``key`` tells this session or token from others, without being its secret. ``languages`` are those that the browser
    asks for, best first. ``expires`` is when a token ends, if it does. ``owner`` is the user who answers for what is
    made: themselves, or the token's.
    """

    name: str
    role: Role
    via: Via
    csrf: str = field(default="", repr=False)
    user: User | None = None
    key: str = field(default="", repr=False)
    languages: tuple[str, ...] = ()
    expires: float | None = None
    owner: str | None = None

    @property
    def actor(self) -> str:
        """Who did it, for the records: a user by name, a token marked as one."""
        return actor_of_token(self.name) if self.via in (Via.TOKEN, Via.SCREEN) else self.name

    @property
    def preferences(self) -> Preferences:
        """How they like to see things; programs like nothing in particular."""
        return self.user.preferences if self.user is not None else Preferences()

    @property
    def time_zone(self) -> str:
        """The zone in which times without one are meant, and shown."""
        return self.preferences.time_zone

    @property
    def language(self) -> str:
        """The language that they chose to read; empty where they leave it to the browser."""
        return self.preferences.language


def actor_of_token(name: str) -> str:
    """What the records call the API token of that name."""
    return f"token {name}"


LOCAL = Principal("local", Role.ADMIN, Via.LOCAL, key="local")
"""Whoever can open the control socket."""


async def find_principal(request: Request, parts: Parts, door: Door) -> Principal | None:
    """Who asks, or None where they do not say.

    An ``Authorization`` header that is not good is refused, whatever else comes with it: a program that shows a bad
    token shall know.
    """
    if door is Door.CONTROL:
        return LOCAL
    authorization = header(request, "authorization")
    if authorization is not None:
        return await _by_token(authorization, parts)
    secret = session_secret(request, door)
    session = await parts.sessions.find(secret) if secret is not None else None
    if secret is None or session is None:
        return await _by_screen(request, parts, door)
    user, languages = session.user, asked_languages(request)
    return Principal(user.name, user.role, Via.SESSION, session.csrf, user, session.id, languages, owner=user.name)


async def _by_token(authorization: str, parts: Parts) -> Principal:
    scheme, _space, secret = authorization.partition(" ")
    return await principal_of_token(secret.strip() if scheme.lower() == "bearer" else "", parts)


async def principal_of_token(secret: str, parts: Parts) -> Principal:
    """The program with that token. Raises ``HTTPProblem`` where there is none."""
    if secret.isascii() and 0 < len(secret) <= MAX_SECRET:
        token = await parts.tokens.find(secret)
        if token is not None:
            return Principal(
                token.name, token.role, Via.TOKEN, key=_key(secret), expires=token.expires, owner=token.owner
            )
    raise HTTPProblem(
        401, "bad_token", _("this API token is not known, or has expired"), headers={"WWW-Authenticate": "Bearer"}
    )


async def _by_screen(request: Request, parts: Parts, door: Door) -> Principal | None:
    """A screen that nobody signs in on. It can look, whatever becomes of its token's role, and nothing else: its cookie
    counts for no request that changes something."""
    secret = _cookie(request, screen_cookie_name(door))
    if secret is None or request.method not in (b"GET", b"HEAD"):
        return None
    token = await parts.tokens.find(secret)
    if token is None or token.role is not Role.VIEWER:
        return None
    return Principal(token.name, token.role, Via.SCREEN, key=_key(secret), languages=asked_languages(request))


def _key(secret: str) -> str:
    return hashlib.sha256(b"principal:" + secret.encode()).hexdigest()[:32]


def cookie_name(door: Door) -> str:
    """What the session's cookie is called: over HTTPS the prefix makes browsers insist on Secure, on Path=/ and on this
    very host."""
    return "__Host-iotcenter_session" if door is Door.HTTPS else "iotcenter_session"


def screen_cookie_name(door: Door) -> str:
    """The same for the token of a screen that nobody signs in on."""
    return "__Host-iotcenter_screen" if door is Door.HTTPS else "iotcenter_screen"


def session_secret(request: Request, door: Door) -> str | None:
    """The secret in the request's session cookie, whether it is good or not: what to give to ``sessions.end``."""
    return _cookie(request, cookie_name(door))


async def begin_session(request: Request, parts: Parts, door: Door, user: str) -> None:
    """Sign the browser in as ``user``, who has proven to be."""
    secret = await parts.sessions.create(user, peer(request), header(request, "user-agent") or "")
    _set_cookie(request, door, cookie_name(door), secret, SESSION_LIFETIME)


def keep_screen(request: Request, door: Door, secret: str) -> None:
    """Have a screen's browser keep the API token that lets it in."""
    _set_cookie(request, door, screen_cookie_name(door), secret, SCREEN_LIFETIME)


def drop_session(request: Request, door: Door) -> None:
    """Have the browser forget the session: what to do after a sign-out."""
    _set_cookie(request, door, cookie_name(door), "", 0)


def _cookie(request: Request, name: str) -> str | None:
    """The value of a cookie that may be a secret of ours."""
    value = request.getCookie(name.encode())
    if value is None or not 0 < len(value) <= MAX_SECRET or not value.isascii():
        return None
    return str(value, "ascii")


def _set_cookie(request: Request, door: Door, name: str, value: str, lifetime: int) -> None:
    request.addCookie(
        name,
        value,
        path="/",
        max_age=str(lifetime),
        secure=door is Door.HTTPS,
        httpOnly=True,
        sameSite="lax",
    )
