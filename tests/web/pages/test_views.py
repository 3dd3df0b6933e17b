"""What pages show of devices."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.known import Brief
from iotcenter.model import CommandOffer, Device, PresenceState, SeriesValue
from iotcenter.web.pages.views import PAGE, by_danger, counts, is_stale, offering, select, shape

NOW = 1795356202.0


def device(name: str, state: PresenceState = PresenceState.ONLINE, **others: Any) -> Device:
    """A device."""
    return Device(name, "0" * 32, "tls", state, **others)


def brief(
    name: str,
    state: PresenceState = PresenceState.ONLINE,
    last_seen: float | None = None,
    address: str = "",
    agent: str = "",
) -> Brief:
    """What lists know of a device."""
    return Brief(name, state, last_seen, address, agent)


def series(every: float, age: float | None) -> SeriesValue:
    """A series whose newest value is so old."""
    return SeriesValue("t", "T", "Cel", every, value=20.0, time=None if age is None else NOW - age)


class StaleTests(SynchronousTestCase):
    """``is_stale``."""

    def test_a_value_in_time(self) -> None:
        """A value is fresh for three of its intervals, and for ten seconds at least."""
        here = device("pi")
        for every, age, stale in ((10, 29, False), (10, 31, True), (1, 9, False), (1, 11, True), (0, 1e6, False)):
            self.assertEqual(is_stale(series(every, age), here, NOW), stale, (every, age))

    def test_a_device_that_is_gone(self) -> None:
        """What an offline device said last is stale, however new it is; so is what was never said."""
        self.assertTrue(is_stale(series(10, 1), device("pi", PresenceState.OFFLINE), NOW))
        self.assertTrue(is_stale(series(10, None), device("pi"), NOW))


class SelectTests(SynchronousTestCase):
    """``select`` and ``counts``."""

    devices = (
        brief("attic", PresenceState.OFFLINE, address="10.0.0.7", last_seen=NOW - 50),
        brief("boiler", agent="iotdevice/1.0", last_seen=NOW - 2),
        brief("cellar", PresenceState.LATE, last_seen=NOW - 9),
    )

    def names(self, text: str = "", state: str = "", sort: str = "name", page: int = 1) -> list[str]:
        """The names of what is selected."""
        return list(select(self.devices, text, state, sort, page).names)

    def test_search(self) -> None:
        """A text is looked for in names, addresses and agents, in upper and lower case alike."""
        found = [self.names(" CELL "), self.names("10.0."), self.names("iotdevice"), self.names("nothing")]
        self.assertEqual(found, [["cellar"], ["attic"], ["boiler"], []])

    def test_states(self) -> None:
        """One state can be picked; all are counted, those without devices too."""
        self.assertEqual(self.names(state="late"), ["cellar"])
        self.assertEqual(list(counts(self.devices[:2]).values()), [1, 0, 1])

    def test_orders(self) -> None:
        """By state, trouble comes first; by when it was seen, the newest does."""
        self.assertEqual(self.names(sort="state"), ["attic", "cellar", "boiler"])
        self.assertEqual(self.names(sort="seen"), ["boiler", "cellar", "attic"])

    def test_pages(self) -> None:
        """There are a hundred on a page, and a page that is not there is the nearest one."""
        many = [brief(f"d{place:03}") for place in range(PAGE + 5)]
        second = select(many, "", "", "name", 2)
        self.assertEqual((len(second.names), second.first, second.last, second.pages), (5, 101, 105, 2))
        self.assertEqual(select(many, "", "", "name", 99), second)
        self.assertEqual(select(many, "", "", "name", -1).page, 1)
        self.assertEqual(select([], "", "", "name", 1).pages, 1)


class ShapeTests(SynchronousTestCase):
    """``shape``, ``offering`` and ``by_danger``."""

    def test_values_do_not_change_a_card(self) -> None:
        """New values and states need no new card; another series does."""
        before = device("pi", series=(series(10, 5),))
        after = replace(before, state=PresenceState.LATE, series=(series(10, 1),))
        other = replace(before, series=(*before.series, replace(before.series[0], name="u")))
        self.assertEqual(shape(before), shape(after))
        self.assertNotEqual(shape(before), shape(other))

    def test_commands(self) -> None:
        """Dangerous commands come last, the others stay in order; another offer is noticed."""
        offers = (CommandOffer("reboot", confirm=True), CommandOffer("blink"), CommandOffer("beep"))
        here = device("pi", commands=offers)
        self.assertEqual([offer.name for offer in by_danger(here)], ["blink", "beep", "reboot"])
        self.assertNotEqual(offering(here), offering(replace(here, commands=offers[:2])))
