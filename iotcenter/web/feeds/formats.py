"""Feeds as bytes: Atom (RFC 4287) and RSS 2.0."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from iotcenter.web.feeds.entries import Entry, Feed

NAMESPACE = "http://www.w3.org/2005/Atom"


def atom(feed: Feed) -> bytes:
    """``feed`` as Atom."""
    root = Element("feed", {"xmlns": NAMESPACE})
    _put(root, "id", feed.id)
    _put(root, "title", feed.title)
    _put(root, "updated", _moment(feed.time).isoformat(timespec="seconds"))
    _put(SubElement(root, "author"), "name", "IotCenter")
    SubElement(root, "link", {"rel": "self", "href": feed.address + feed.path})
    SubElement(root, "link", {"rel": "alternate", "href": f"{feed.address}/"})
    for entry in feed.entries:
        root.append(_atom_entry(entry))
    return _document(root)


def _atom_entry(entry: Entry) -> Element:
    element = Element("entry")
    _put(element, "id", entry.id)
    _put(element, "title", entry.title)
    _put(element, "updated", _moment(entry.time).isoformat(timespec="seconds"))
    SubElement(element, "link", {"rel": "alternate", "href": entry.link})
    content = _put(element, "content", entry.text)
    content.set("type", "text")
    return element


def rss(feed: Feed) -> bytes:
    """``feed`` as RSS. An item's guid holds its time too: readers of RSS do not show again what they have seen."""
    root = Element("rss", {"version": "2.0"})
    channel = SubElement(root, "channel")
    _put(channel, "title", feed.title)
    _put(channel, "link", f"{feed.address}/")
    _put(channel, "description", feed.title)
    _put(channel, "lastBuildDate", format_datetime(_moment(feed.time)))
    for entry in feed.entries:
        item = SubElement(channel, "item")
        _put(item, "title", entry.title)
        _put(item, "link", entry.link)
        _put(item, "description", entry.text.replace("&", "&amp;").replace("<", "&lt;"))  # which is HTML in RSS
        _put(item, "guid", f"{entry.id}:{entry.time:.0f}").set("isPermaLink", "false")
        _put(item, "pubDate", format_datetime(_moment(entry.time)))
    return _document(root)


def _put(parent: Element, name: str, text: str) -> Element:
    element = SubElement(parent, name)
    element.text = text
    return element


def _document(root: Element) -> bytes:
    document: bytes = tostring(root, "utf-8", xml_declaration=True)
    return document


def _moment(time: float) -> datetime:
    """``time`` in the years that feeds can write: devices say what they like."""
    return datetime.fromtimestamp(min(max(time, 0.0), 253402300799.0), UTC)
