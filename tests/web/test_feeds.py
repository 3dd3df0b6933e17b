"""What feed readers get."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import Element, fromstring

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Device, PresenceState, Reading, Role, Series, SeriesValue, UnitSystem
from iotcenter.web.feeds.entries import MAX_TITLE, MOST_DEVICES, MOST_VALUES, Feed, of_devices
from iotcenter.web.feeds.formats import atom, rss
from iotcenter.wire.messages import Hello
from tests.web.support import WebTestCase
from tests.web.wire import Answer

ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = "</title><script>alert(1)</script>&\x00\x1b[31m\u202e\ud800"


def texts(answer: Answer, *path: str) -> list[str]:
    """The texts of the elements at ``path`` in the feed."""
    return [element.text or "" for element in fromstring(answer.body).iterfind("/".join(path))]


class FeedTests(WebTestCase):
    """``/feed.atom`` and ``/rss``."""

    async def token(self, role: Role) -> str:
        """The secret of a token."""
        return await self.parts.tokens.create(f"{role} reader", role)

    async def test_values(self) -> None:
        """Each device that was heard of is an entry with its newest values, as people write them."""
        _, attachment = await self.device()
        await self.report(attachment, Reading("temperature", 21.5), Reading("door", "open"))
        token = await self.token(Role.VIEWER)
        answer = await self.ask("GET", f"/feed.atom?token={token}")
        self.assertEqual(answer.header("content-type"), "application/atom+xml; charset=utf-8")
        title = "kitchen-pi is online, Temperature: 21.5 °C, Door: open"
        self.assertEqual(texts(answer, f"{ATOM}entry", f"{ATOM}title"), [title])
        answer = await self.ask("GET", f"/rss?token={token}")
        self.assertEqual(answer.header("content-type"), "application/rss+xml; charset=utf-8")
        self.assertEqual(texts(answer, "channel", "item", "title"), [title])
        parsedate_to_datetime(texts(answer, "channel", "item", "pubDate")[0])

    async def test_events(self) -> None:
        """What happened is for those who may see it elsewhere too."""
        admin = await self.user(Role.ADMIN)
        await self.ask("POST", "/api/v1/tokens", admin, json={"name": "graphs"})
        for role, seen in ((Role.VIEWER, False), (Role.OPERATOR, True)):
            answer = await self.ask("GET", f"/feed.atom?token={await self.token(role)}")
            self.assertEqual(b"created the token graphs" in answer.body, seen)

    async def test_nothing_new(self) -> None:
        """A reader that has it all already gets nothing; one that has less gets the whole."""
        _, attachment = await self.device()
        path = f"/feed.atom?token={await self.token(Role.VIEWER)}"
        tag = (await self.ask("GET", path)).header("etag")
        same = await self.ask("GET", path, headers={"If-None-Match": tag})
        self.assertEqual((same.status, same.body), (304, b""))
        await self.report(attachment, Reading("temperature", 22.5))
        self.assertEqual((await self.ask("GET", path, headers={"If-None-Match": tag})).status, 200)

    async def test_who_may(self) -> None:
        """Without a token there is no feed, nor with one that is not good; an admin's is not taken from an address."""
        for query in ("", "?token=", f"?token=iotc_{'a' * 43}", "?token=" + "x" * 5000, "?token=%ff"):
            self.assertIn((await self.ask("GET", f"/feed.atom{query}")).status, (400, 401))
        token = await self.token(Role.ADMIN)
        self.assertEqual((await self.ask("GET", f"/rss?token={token}")).status, 403)
        self.assertEqual((await self.ask("GET", "/rss", await self.user(Role.VIEWER))).status, 200)

    async def test_no_token_in_it(self) -> None:
        """The feed does not hold the token that it was asked for with, since readers share what they read."""
        token = await self.token(Role.VIEWER)
        answer = await self.ask("GET", f"/feed.atom?token={token}")
        self.assertNotIn(token.encode(), answer.body)

    async def test_hostile(self) -> None:
        """What a device calls things is text."""
        hello = Hello("test", boot=1, series=(Series("door", HOSTILE.replace("\ud800", "")),))
        _, attachment = await self.device(hello=hello)
        await self.report(attachment, Reading("door", HOSTILE.replace("\ud800", "")))
        for path in ("/feed.atom", "/rss"):
            answer = await self.ask("GET", path, await self.user(Role.VIEWER, path.strip("/")))
            self.assertNotIn(b"<script", answer.body)
            self.assertTrue(list(fromstring(answer.body)))


class FormatTests(SynchronousTestCase):
    """The formats themselves."""

    def make(self, label: str, value: str | float, time: float, count: int = 1) -> tuple[Element, Element]:
        """Both feeds of so many devices."""
        values = tuple(SeriesValue(f"s{number}", label, label, value=value) for number in range(MOST_VALUES + 5))
        devices = [
            Device("attic", f"{number:032x}", "tls", PresenceState.LATE, label, time, series=values)
            for number in range(count)
        ]
        entries = of_devices(devices, "https://center.example:8443", UnitSystem.DECLARED)
        feed = Feed("urn:uuid:0", "IotCenter", "https://center.example:8443", "/feed.atom", tuple(entries))
        return fromstring(atom(feed)), fromstring(rss(feed))

    @given(
        st.text(max_size=64), st.text(max_size=255) | st.floats(-1e300, 1e300), st.floats(-253402300800, 253402300800)
    )
    def test_whatever_a_device_says(self, label: str, value: str | float, time: float) -> None:
        """Whatever a device says, both are well-formed, and every entry has what RFC 4287 and RSS demand."""
        atom_root, rss_root = self.make(label, value, time)
        for name in ("id", "title", "updated", "link", "content"):
            self.assertIsNotNone(atom_root.find(f"{ATOM}entry/{ATOM}{name}"), name)
        for name in ("title", "link", "description", "guid", "pubDate"):
            self.assertIsNotNone(rss_root.find(f"channel/item/{name}"), name)

    def test_bounds(self) -> None:
        """A feed has so many devices with so many values, and titles of a line."""
        atom_root, _ = self.make("label", 21.5, 1e9, MOST_DEVICES + 10)
        entries = atom_root.findall(f"{ATOM}entry")
        self.assertEqual(len(entries), MOST_DEVICES)
        title, content = entries[0].findtext(f"{ATOM}title"), entries[0].findtext(f"{ATOM}content")
        assert title is not None and content is not None
        self.assertEqual((len(title), content.count("label:")), (MAX_TITLE, MOST_VALUES))
