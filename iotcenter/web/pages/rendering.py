"""Turns templates into pages."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from iotcenter import __version__, texts
from iotcenter.model import Command, CommandOffer, Device, Preferences, Role, SeriesValue, Value
from iotcenter.texts import N_
from iotcenter.web.browsers import browser_of
from iotcenter.web.pages import books
from iotcenter.web.pages.arguments import in_words, label_of
from iotcenter.web.pages.times import Moment, moment_of
from iotcenter.web.pages.units import Quantity, number, quantity, span
from iotcenter.web.pages.views import is_stale, layout, offering, shape
from iotcenter.web.phrases import happened, noticed, retold
from iotcenter.web.principal import Principal

PLACES = (
    ("dashboard", "/", N_("Dashboard"), Role.VIEWER),
    ("devices", "/devices", N_("Devices"), Role.VIEWER),
    ("charts", "/charts", N_("Charts"), Role.VIEWER),
    ("events", "/events", N_("Events"), Role.OPERATOR),
    ("add", "/add-device", N_("Add device"), Role.ADMIN),
    ("more", "/more", N_("More"), Role.VIEWER),
)
"""Where the bar leads: key, URL, label, and the least role that may go there."""

WORDS = (
    *(N_("online"), N_("late"), N_("offline")),
    *(N_("queued"), N_("sent"), N_("received"), N_("done"), N_("failed"), N_("expired"), N_("cancelled")),
    *(N_("rising"), N_("falling"), N_("steady")),
    *(N_("viewer"), N_("operator"), N_("admin")),
    *(N_("running"), N_("hung"), N_("missing")),
    *(N_("debug"), N_("info"), N_("warning"), N_("error")),
)
"""What enumerations, and words of the lower floors, are called on pages."""


AT_ONCE = 500
"""How many pieces of a long page are made at once: a few milliseconds' work on a fast machine."""


async def _no_turn() -> None:
    """Nobody else is there."""


class Renderer:
    """Renders the templates of ``iotcenter.assets``."""

    def __init__(
        self,
        build: str,
        seconds: Callable[[], float],
        trouble: Callable[[], object] = lambda: None,
        notices: Callable[[], Iterable[str]] = tuple,
        turn: Callable[[], Awaitable[object]] = _no_turn,
    ) -> None:
        """``build`` stands in the URLs of static files, so that they may be cached for good; ``seconds`` is the clock.

        ``trouble`` says what keeps the server from storing anything now, if something does, and ``notices`` what else
        its operator should see to: every page shows them. ``turn`` is done when everybody else had theirs.
        """
        self._seconds = seconds
        self._trouble = trouble
        self._notices = notices
        self._turn = turn
        self._environment = compiled(build)

    def moment(self, principal: Principal | None) -> Moment:
        """Now, as whoever looks likes to see it."""
        if principal is None:
            return Moment(self._seconds())
        return moment_of(self._seconds(), principal.preferences, principal.languages)

    def render(self, template: str, principal: Principal | None, **context: Any) -> str:
        """The page that ``template`` makes of ``context`` for ``principal``, who is None before they signed in."""
        return self._environment.get_template(template).render(self._context(principal, context))

    async def render_in_turns(self, template: str, principal: Principal | None, **context: Any) -> str:
        """The same, for pages that show many devices: in between everybody else has their turn."""
        pieces: list[str] = []
        for piece in self._environment.get_template(template).generate(self._context(principal, context)):
            pieces.append(piece)
            if len(pieces) % AT_ONCE == 0:
                await self._turn()
        return "".join(pieces)

    def _context(self, principal: Principal | None, context: dict[str, Any]) -> dict[str, Any]:
        moment = self.moment(principal)
        return {
            "place": "",
            "problems": {},
            **context,
            "principal": principal,
            "moment": moment,
            "preferences": principal.preferences if principal is not None else Preferences(),
            "trouble": self._trouble() or "",
            "notices": tuple(noticed(notice) for notice in self._notices()),
            "may": lambda role: principal is not None and principal.role.covers(role),
            "stale": lambda series, device: is_stale(series, device, moment.now),
        }


@lru_cache(maxsize=1)
def compiled(build: str) -> Environment:
    """The templates, all compiled at once, so that no visitor waits for it, and one time for all doors."""
    environment = Environment(
        loader=PackageLoader("iotcenter.assets", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(texts.gettext, texts.plural, newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(
        build=build, version=__version__, places=PLACES, Role=Role, static=lambda name: f"/static/{build}/{name}"
    )
    environment.globals.update(language=texts.language)
    environment.filters.update(
        translated=texts.gettext,
        shown=shown,
        label=label,
        title=title,
        plain=plain,
        said=said,
        reason=reason,
        sentence=sentence,
        retold=retold,
        happened=happened,
        grouped=grouped,
        sized=sized,
    )
    environment.filters.update(amount=amount, lasting=lasting, browser=browser_of)
    environment.filters.update(shape=shape, layout=layout, offering=offering, clock=books.clock, account=books.account)
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)
    return environment


@pass_context
def shown(context: Context, series: SeriesValue) -> Quantity:
    """The newest value of a series as whoever looks writes it; a dash where there is none yet."""
    return amount(context, series.value, series)


@pass_context
def amount(context: Context, value: Value | None, series: SeriesValue) -> Quantity:
    """Any value of a series as whoever looks writes it; a dash for none."""
    if value is None:
        return Quantity("\N{EN DASH}")
    return quantity(value, series.unit, series.decimals, context["preferences"].units)


def label(offer: CommandOffer) -> str:
    """What people call a command."""
    words = offer.name.replace("_", " ")
    return offer.label or words[:1].upper() + words[1:]


def title(name: str, device: Device) -> str:
    """What people call the command ``name``, also where the device offers it no longer."""
    return next((label(offer) for offer in device.commands if offer.name == name), name)


def plain(value: Any) -> str:
    """A command's argument or result as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def said(command: Command, device: Device, moment: Moment) -> list[tuple[str, str]]:
    """The arguments that a command was given with, as people call and write them."""
    offers = (offer for offer in device.commands if offer.name == command.name)
    declared = {argument.name: argument for offer in offers for argument in offer.arguments}

    def one(name: str, value: Any) -> tuple[str, str]:
        argument = declared.get(name)
        return (name, plain(value)) if argument is None else (label_of(argument), in_words(argument, value, moment))

    return [one(name, value) for name, value in command.args.items()]


def reason(device: Device) -> str:
    """Why a device is not online, as a sentence; empty where there is no more to say than its state does."""
    return sentence(retold(device.reason))


def explained(error: Exception) -> str:
    """What ``error`` says, as a sentence in the reader's language."""
    return sentence(retold(str(error)))


def sentence(text: str) -> str:
    """``text`` with a capital letter before it and a full stop behind it."""
    text = text.strip()
    stop = "" if not text or text.endswith((".", "!", "?", ":")) else "."
    return text[:1].upper() + text[1:] + stop


def grouped(count: int) -> str:
    """A count, with thin spaces between the thousands where it is long."""
    return number(count, 0)


def sized(count: int) -> str:
    """A number of bytes, as people write it; no line ends before its unit."""
    return str(quantity(float(count), "B")).replace(" ", "\N{NO-BREAK SPACE}")


def lasting(seconds: float) -> str:
    """A length of time, as people write it; no line ends within it."""
    return span(seconds).replace(" ", "\N{NO-BREAK SPACE}")
