"""Whether clocks go up to 12 or to 24 where a browser comes from."""

from __future__ import annotations

from twisted.web.server import Request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from iotcenter.web.headers import headers

LONGEST = 200
"""Characters of ``Accept-Language`` that are read: every request is looked at before anybody is known."""

MOST = 10
"""The most languages of one browser that are looked at: nobody reads more."""

TWELVE_HOURS = """
AE AG AI AU BB BD BH BM BN BS BT CA CO CY DJ DM DO DZ EG EH ER ET FJ FM GD GH GM GR GU GY HK IN IQ JM JO KE KI KN KR KW
KY LB LC LR LY MH MO MP MR MS MW MY NA NZ OM PA PG PH PK PR PS PW QA SA SB SD SG SL SO SS SV SY SZ TC TD TN TO TT TW UM
US VC VE VG VI VU WS YE ZM
"""
"""The territories whose clocks go up to 12, by Unicode's CLDR (timeData)."""

TWELVE_HOUR_LANGUAGES = frozenset(("en", "ar", "hi", "bn", "ko", "ur"))
"""The languages that mean such a territory where they name none."""


def asked_languages(request: Request) -> tuple[str, ...]:
    """The tags in ``Accept-Language``, best first; none where it makes no sense."""
    accepted = parse_accept_header(",".join(headers(request, "accept-language"))[:LONGEST], LanguageAccept)
    return tuple(tag for tag, quality in accepted if quality > 0)[:MOST]


def counts_to_twelve(languages: tuple[str, ...]) -> bool:
    """Whether clocks go up to 12 where the first of ``languages`` is spoken; they do not where there is none."""
    if not languages:
        return False
    language, *parts = languages[0].split("-")
    territory = next((part.upper() for part in parts if len(part) == 2), "")
    return territory in TWELVE_HOURS.split() if territory else language.lower() in TWELVE_HOUR_LANGUAGES
