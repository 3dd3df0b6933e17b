"""What is done to users, by the API and by pages alike: whatever changes for somebody ends their event streams, which
begin anew if they may, and is noted with who did it."""

from __future__ import annotations

from collections.abc import Iterable

from iotcenter.identity.errors import Unfit
from iotcenter.identity.sessions import OpenSession
from iotcenter.identity.users import canonical
from iotcenter.model import EventKind, Preferences, Role, User
from iotcenter.storage.errors import NotFound
from iotcenter.texts import _
from iotcenter.web.owners import check_own, is_own, own_account
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, actor_of_token


class People:
    """The users. What cannot be done fails with ``Refused`` or a ``StorageError``."""

    def __init__(self, parts: Parts) -> None:
        self._users = parts.users
        self._sessions = parts.sessions
        self._tokens = parts.tokens
        self._reset_links = parts.reset_links
        self._streams = parts.streams
        self._events = parts.center.events
        self._open_ports = parts.center.open_ports

    async def named(self, name: str) -> User:
        """The user of that name. Fails with ``NotFound``."""
        for user in await self._users.list():
            if user.name == canonical(name):
                return user
        raise NotFound(f"There is no user named {name[:64]}.")

    async def add(self, principal: Principal, name: str, role: Role, password: str, time_zone: str = "UTC") -> User:
        """Let somebody sign in."""
        user = await self._users.add(name, role, password, time_zone)
        text = f"{principal.actor} added the user {user.name} as {user.role}"
        self._events.note(EventKind.USER_ADDED, principal.actor, user.name, text, role=user.role)
        return user

    async def set_role(self, principal: Principal, name: str, role: Role) -> None:
        """Let somebody do more or less. The last admin stays one."""
        await self._users.set_role(name, role)
        self._streams.end_user(canonical(name))
        self._bar(await self._tokens_of(canonical(name)))
        text = f"{principal.actor} made {canonical(name)} {role}"
        self._events.note(EventKind.USER_CHANGED, principal.actor, canonical(name), text, role=role)

    async def set_password(self, principal: Principal, name: str, password: str) -> None:
        """Another password, which signs somebody out everywhere."""
        await self._users.set_password(name, password)
        self._streams.end_user(canonical(name))
        self._note_change(principal, name, "changed the password of")

    async def change_own_password(self, principal: Principal, current: str, password: str, source: str) -> None:
        """Another password for who asks, who knows the ``current`` one and comes from the address ``source``. All of
        their browsers are signed out, this one too."""
        user = own_account(principal)
        if await self._users.authenticate(user.name, current, source) is None:
            raise Unfit("current", _("that is not your password"))
        await self.set_password(principal, user.name, password)

    async def set_preferences(self, principal: Principal, name: str, preferences: Preferences) -> None:
        """How somebody sees things: one's own, or as an admin anybody's."""
        check_own(principal, name, _("preferences"))
        await self._users.set_preferences(name, preferences)

    async def reset_link(self, principal: Principal, name: str) -> tuple[str, float]:
        """The secret of a link by which somebody gives themselves another password, and when it expires."""
        issued = await self._reset_links.issue(name)
        self._note_change(principal, name, "made a link for a new password of")
        return issued

    async def redeem_reset(self, secret: str, password: str) -> str:
        """Another password for whoever has the link; their name."""
        name = await self._reset_links.redeem(secret, password)
        self._streams.end_user(name)
        self._events.note(EventKind.USER_CHANGED, name, name, f"{name} set a new password by a link")
        return name

    async def remove(self, principal: Principal, name: str) -> None:
        """Shut somebody out at once, with all tokens that are theirs. The last admin stays."""
        tokens = await self._tokens_of(canonical(name))
        await self._users.remove(name)
        self._streams.end_user(canonical(name))
        self._bar(tokens)
        text = f"{principal.actor} removed the user {canonical(name)}"
        self._events.note(EventKind.USER_REMOVED, principal.actor, canonical(name), text)

    async def sessions(self, principal: Principal, name: str) -> tuple[OpenSession, ...]:
        """Where somebody is signed in, the browser that was used last first."""
        check_own(principal, name, _("sessions"))
        return await self._sessions.of((await self.named(name)).name)

    async def end_session(self, principal: Principal, name: str, session: str) -> None:
        """Sign one browser out. Fails with ``NotFound``."""
        check_own(principal, name, _("sessions"))
        if not await self._end_sessions(principal, name, {session}):
            raise NotFound("That browser is not signed in.")

    async def end_other_sessions(self, principal: Principal, name: str) -> None:
        """Sign all browsers of somebody out, but for the one that asks."""
        open_now = {session.id for session in await self.sessions(principal, name)}
        await self._end_sessions(principal, name, open_now - ({principal.key} if is_own(principal, name) else set()))

    async def _end_sessions(self, principal: Principal, name: str, chosen: set[str]) -> tuple[str, ...]:
        ended = await self._sessions.end_some(name, chosen.__contains__)
        for session in ended:
            self._streams.end_session(session)
        if ended:
            count = "a browser" if len(ended) == 1 else f"{len(ended)} browsers"
            text = f"{principal.actor} signed {count} of {canonical(name)} out"
            self._events.note(EventKind.SIGNED_OUT, principal.actor, canonical(name), text)
        return ended

    async def _tokens_of(self, name: str) -> list[str]:
        return [token.name for token in await self._tokens.list() if token.owner == name]

    def _bar(self, tokens: Iterable[str]) -> None:
        """What tokens hold open ends: they may do no more than their owner."""
        for token in tokens:
            self._streams.end_token(token)
            self._open_ports.dismiss(actor_of_token(token))

    def _note_change(self, principal: Principal, name: str, did: str) -> None:
        text = f"{principal.actor} {did} {canonical(name)}"
        self._events.note(EventKind.USER_CHANGED, principal.actor, canonical(name), text)
