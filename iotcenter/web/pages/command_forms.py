"""The form by which a command is sent: on its own page, and in a dialog on its device's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iotcenter.model import CommandOffer, Device
from iotcenter.texts import N_
from iotcenter.web.pages.arguments import Field, fields
from iotcenter.web.pages.times import Moment
from iotcenter.web.pages.views import by_danger

LIFETIMES = {"600": N_("in 10 minutes"), "3600": N_("in an hour"), "86400": N_("in a day"), "604800": N_("in a week")}
"""How long a command may wait for a device that is offline."""

DEFAULT_LIFETIME = "3600"


@dataclass(frozen=True)
class CommandForm:
    """One command's form, as it is now filled in. ``problem`` is what is wrong with it as a whole."""

    offer: CommandOffer
    fields: tuple[Field, ...]
    lifetime: str = DEFAULT_LIFETIME
    problem: str = ""

    @property
    def lifetimes(self) -> Mapping[str, str]:
        """What there is to choose from, where the device is offline."""
        return LIFETIMES


def command_form(
    offer: CommandOffer,
    moment: Moment,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
    problem: str = "",
) -> CommandForm:
    """The form of ``offer``: fresh, or with what somebody filled in and what was wrong with it."""
    lifetime = (values or {}).get("lifetime", DEFAULT_LIFETIME)
    return CommandForm(
        offer, fields(offer, moment, values, problems), lifetime if lifetime in LIFETIMES else DEFAULT_LIFETIME, problem
    )


def command_forms(device: Device, moment: Moment) -> tuple[CommandForm, ...]:
    """A fresh form for each command that a device offers, the dangerous ones last."""
    return tuple(command_form(offer, moment) for offer in by_danger(device))
