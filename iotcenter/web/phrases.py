"""What the rest of the server says, in the reader's language.

It speaks English, as it does not know who will read: what it says is logged, stored, and sent to programs; and some of
it comes from devices. Where it stands on a page it is looked up here, by the phrase that it was made of. What is not
found stays as it is. ``tests/web/test_phrases.py`` sees to it that each phrase is still said.
"""

from __future__ import annotations

import re
from functools import cache

from iotcenter.model import Event, EventKind
from iotcenter.texts import N_, _, gettext, language

TUNNELS = (
    N_("%(name)s was revoked: give it a new token to let it in again"),
    N_("%(name)s is offline since %(time)s"),
    N_("%(name)s is offline: it was never here"),
    N_("%(name)s takes no tunnels: [ssh] is not enabled in its configuration, or its agent has none"),
    N_("port %(port)s is not open on %(name)s: its configuration allows %(ports)s"),
    N_("%(name)s has just gone offline: try again in a moment"),
    N_("%(name)s refused, and did not say why"),
    N_("only devices can be reached here, by their names, and none has that name"),
    N_("%(count)s tunnels to %(name)s are open already: close some first"),
    N_("%(count)s tunnels are open on this server already: try again later"),
    N_("%(actor)s has %(count)s tunnels open already: close some first"),
    N_("%(count)s ports are open on this server: no more can be"),
    N_("this device takes no tunnels: [ssh] is not enabled in its configuration"),
    N_("port %(port)s is not open on this device: its configuration allows %(ports)s"),
    N_("%(count)s tunnels to this device are open already: close some first"),
    N_("this device could not dial back: %(reason)s"),
    N_("nothing answers on port %(port)s of this device: %(reason)s"),
    N_("cannot listen on %(place)s: %(reason)s"),
    *(N_("it answers"), N_("it came to its end"), N_("the server is stopping"), N_("its time is over")),
    *(N_("the client closed the channel"), N_("the client's connection ended")),
    N_("whoever was connected to the port left"),
    N_("the connection of the device ended: %(reason)s"),
    N_("the program on the device closed the connection"),
    *(N_("nothing moved in it for %(span)s"), N_("a tunnel may be open for %(span)s")),
    N_("the port was closed: %(reason)s"),
    *(N_("%(actor)s closed it"), N_("%(actor)s may do something else now"), N_("%(name)s was removed")),
)
"""Why a device cannot be reached, and why what led to it has ended."""

EVENTS: dict[str, tuple[str, ...]] = {
    EventKind.SIGNED_IN: (
        N_("%(name)s signed in from %(address)s"),
        N_("A screen at %(address)s was let in by the token %(token)s"),
    ),
    EventKind.SIGN_IN_REFUSED: (N_("A sign-in from %(address)s was refused"),),
    EventKind.SIGNED_OUT: (N_("%(actor)s signed %(what)s of %(name)s out"),),
    EventKind.USER_ADDED: (N_("%(actor)s added the user %(name)s as %(role)s"),),
    EventKind.USER_CHANGED: (
        N_("%(actor)s changed the password of %(name)s"),
        N_("%(actor)s made a link for a new password of %(name)s"),
        N_("%(name)s set a new password by a link"),
        N_("%(actor)s made %(name)s %(role)s"),
    ),
    EventKind.USER_REMOVED: (N_("%(actor)s removed the user %(name)s"),),
    EventKind.TOKEN_CREATED: (N_("%(actor)s created the token %(token)s as %(role)s"),),
    EventKind.TOKEN_REMOVED: (N_("%(actor)s removed the token %(token)s"),),
    EventKind.SERVER_CHANGED: (N_("%(actor)s changed for how long %(series)s of %(name)s is kept"),),
    EventKind.DEVICE_INVITED: (N_("%(actor)s gave out a token for %(name)s"),),
    EventKind.DEVICE_RENAMED: (N_("%(actor)s renamed %(was)s to %(name)s"),),
    EventKind.DEVICE_REVOKED: (N_("%(actor)s revoked %(name)s"),),
    EventKind.DEVICE_REMOVED: (N_("%(actor)s removed %(name)s with all its readings"),),
    EventKind.DEVICE_WARNED: (N_("%(name)s: %(reason)s"),),
    EventKind.DEVICE_CHANGED: (
        N_("%(actor)s expects %(name)s %(often)s"),
        N_("%(actor)s had %(what)s of %(name)s kept"),
    ),
    EventKind.FILE_REMOVED: (N_("%(actor)s deleted %(file)s of %(name)s"),),
    EventKind.COMMAND_GIVEN: (N_("%(actor)s gave %(name)s the command %(command)s"),),
    EventKind.COMMAND_ENDED: (N_("%(command)s on %(name)s: %(state)s"),),
    EventKind.TUNNEL_OPENED: (N_("%(actor)s opened a tunnel to port %(port)s of %(name)s (%(way)s)"),),
    EventKind.TUNNEL_CLOSED: (N_("%(actor)s's tunnel to port %(port)s ended after %(span)s: %(reason)s"),),
    EventKind.TUNNEL_REFUSED: (N_("%(reason)s (%(count)s more were not written down)"), *TUNNELS),
    EventKind.PORT_OPENED: (
        N_("%(actor)s opened port %(listen)s on %(host)s to port %(port)s of %(name)s for %(span)s"),
    ),
    EventKind.PORT_CLOSED: (N_("port %(listen)s to port %(port)s of %(name)s is closed: %(reason)s"),),
    EventKind.KEY_ADDED: (N_("%(actor)s added the SSH key %(key)s of %(name)s"),),
    EventKind.KEY_REMOVED: (N_("%(actor)s removed the SSH key %(key)s of %(name)s"),),
}
"""What is written down of each kind of event."""

NOTICES = (
    N_("The database is damaged. Start the server again: it then saves what can be read."),
    N_("The disk is %(part)s full: %(count)s MB are left. Once it is full, nothing can be stored."),
    N_(
        "The database was damaged, as was found on %(time)s: %(fault)s. Saved were %(things)s. %(lost)s "
        "The damaged files are in %(place)s. If you have a backup, iotcenter restore brings it back; if not, "
        "go on with what was saved, and remove that folder: then this is not said any more."
    ),
)
"""What the operator should see to."""

LOST = (N_("Nothing else is missing."), N_("Parts of these could not be read: %(things)s."))
"""What could not be saved of a damaged database."""

THINGS = (N_("devices"), N_("readings"), N_("users"), N_("API tokens"), N_("commands"))
"""What a database holds."""

BACKUPS = (
    N_("the backup failed: %(reason)s"),
    *(N_("the database is damaged: %(fault)s"), N_("the database cannot be read: %(fault)s")),
    *(N_("%(place)s cannot be copied: %(fault)s"), N_("status %(count)s")),
    N_("what was read back is not what was written: the disk or the memory is faulty"),
)
"""Why there is no backup."""

VIDEO = (
    N_("there is no video: %(reason)s"),
    *(N_("no picture came for %(span)s"), N_("nobody watches any more"), N_("what it sends is no picture")),
    *(N_("the camera ended it"), N_("the tunnel ended"), N_("the camera answered %(fault)s")),
    N_("the camera serves no Motion JPEG (multipart/x-mixed-replace) at that path"),
    *(N_("what it sends is no JPEG"), N_("there is something between its pictures")),
    *(N_("a picture has %(count)s bytes, %(most)s at most can be shown"), N_("a picture has over %(count)s bytes")),
    N_("the head of %(part)s is over %(count)s bytes"),
)
"""Why live video has ended."""

PARTS = (
    *(N_("a browser"), N_("%(count)s browsers")),
    *(N_("every %(span)s"), N_("as often as it says itself")),
    *(N_("as many files as is usual"), N_("the last %(count)s files")),
    N_("%(count)s days"),
    *(N_("%(way)s, to see whether it answers"), N_("the web"), N_("the command line"), N_("live video")),
    *(N_("SSH from %(host)s"), N_("port %(port)s of %(host)s")),
)
"""What stands within other phrases."""

STORED = (
    N_("There is already a user named %(name)s."),
    N_("There is already a token named %(name)s."),
    N_("There is already a device named %(name)s."),
    N_("There is no user named %(name)s."),
    N_("There is no token named %(name)s."),
    *(N_("There is no such device."), N_("There is no such file."), N_("There is no such command.")),
    *(N_("That name is taken."), N_("That browser is not signed in."), N_("The content of this file is gone.")),
    *(N_("You have that key here already."), N_("Somebody else has that key.")),
    N_("This user has as many SSH keys as one may have: remove one first."),
    N_("This is the last administrator: nobody could manage the server any more."),
    N_("This secret is not known, was used already, or has expired."),
    N_("Looking that up takes too long: ask for less at a time."),
    N_("That is more than %(count)s rows: ask for a shorter time, or with a step of %(seconds)s seconds."),
    N_("More waits to be stored than the disk keeps up with: try again."),
    N_("%(reason)s (%(detail)s)."),
    N_("The disk is full: nothing can be stored until there is room"),
    *(N_("The disk failed"), N_("The database is damaged")),
    *(N_("The data directory cannot be written"), N_("Another program holds the database")),
    *(N_("known after %(count)s hours of measuring"), N_("not full within ten years")),
    *(N_("full in %(count)s days"), N_("full within two days")),
)
"""What storage says."""

DEVICES = (
    N_("it has never been here"),
    N_("no readings for %(silence)s, expected every %(every)s"),
    *(N_("cancelled by %(actor)s"), N_("the device gave no reason")),
    *(N_("the device did not come in time"), N_("the device did not answer in time")),
    N_("the device received it, and never said what became of it"),
    N_("%(count)s commands wait for %(name)s already"),
    N_("%(name)s is offline; give the command a lifetime to let it wait"),
    *(N_("%(name)s offers no command %(command)s"), N_("%(name)s was given no command %(count)s")),
    *(N_("there is no device named %(name)s"), N_("there is no command %(count)s")),
    N_(
        "It has proven version 2 of encrypted UDP, so its packets of version 1 are refused from now on. "
        "To allow them again: iotcenter device allow-v1 NAME"
    ),
    N_(
        "Refused a packet of version 1 of encrypted UDP: the device has proven version 2, or was added for it. "
        "Somebody may be trying to pass for it. If it was moved back: iotcenter device allow-v1 NAME"
    ),
)
"""What is said of devices and of their commands."""

ARGUMENTS = (
    N_("there is no such argument"),
    *(N_("is needed"), N_("must be text"), N_("must be a number"), N_("must be a whole number")),
    *(N_("must be at least %(count)s characters long"), N_("must be at most %(count)s characters long")),
    *(N_("must be at least %(least)s"), N_("must be at most %(most)s")),
    *(N_("must be one of %(choices)s"), N_("must not be negative"), N_("must be a colour such as #ff8800")),
)
"""What is wrong with the argument of a command, behind its name."""

PHRASES = (*PARTS, *TUNNELS, *STORED, *DEVICES, *ARGUMENTS, *VIDEO, *BACKUPS)
"""All that is not an event: from the special to the general, the first that fits is taken."""

TOLD = frozenset(["every", "often", "reason", "role", "silence", "span", "state", "way", "what"])
"""The places whose values are phrases, or words, themselves. All others are names and numbers."""

SHAPES = {"count": r"\d+", "detail": r"[^(]+", "listen": r"\d+", "port": r"\d+", "seconds": r"\d+"}
"""What values look like, where not anything will do. Hostile text takes no longer for it than other text."""

LONGEST = 300
"""Characters of a text that is looked up: ours are shorter, and what devices say can be made to take long."""

THING = re.compile("|".join(THINGS))
"""One of what a database holds."""

PLACE = re.compile(r"%\((\w+)\)s")


def noticed(text: str) -> str:
    """A notice to the operator."""
    return text if language() == "en" else _retold(text, NOTICES)


def happened(event: Event) -> str:
    """What is written down of ``event``."""
    return retold(event.text, EVENTS.get(event.kind, ()))


def retold(text: str, phrases: tuple[str, ...] = PHRASES) -> str:
    """``text``, which is one of ``phrases`` or a marked text without values."""
    return text if language() == "en" or len(text) > LONGEST else _retold(text, phrases)


def _retold(text: str, phrases: tuple[str, ...]) -> str:
    for phrase in phrases:
        found = _pattern(phrase).fullmatch(text)
        if found is not None:
            return _(phrase, **{name: _value(name, value) for name, value in found.groupdict().items()})
    return gettext(text)


def _value(name: str, value: str) -> str:
    """What stands in the place ``name`` of a phrase."""
    if name == "things":
        return THING.sub(lambda found: gettext(found[0]), value)
    if name == "lost":
        return retold(value, LOST)
    return retold(value) if name in TOLD else value


@cache  # there are as many as phrases
def _pattern(phrase: str) -> re.Pattern[str]:
    """Finds the values in what was made of ``phrase``."""
    parts = PLACE.split(phrase)
    shapes = (_shape(part) if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return re.compile("".join(shapes), re.DOTALL)


def _shape(name: str) -> str:
    return f"(?P<{name}>{SHAPES.get(name, '.+?')})"
