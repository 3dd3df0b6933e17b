"""Who sees to whose SSH keys: what the API and the page of keys have in common."""

from __future__ import annotations

from iotcenter.model import EventKind
from iotcenter.storage.ssh_keys import SshKey
from iotcenter.texts import _
from iotcenter.web.owners import check_own
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class KeyRing:
    """Everybody sees to their own keys; admins to everybody's. What is changed is noted with who did it."""

    def __init__(self, parts: Parts) -> None:
        self._keys = parts.ssh_keys
        self._events = parts.center.events

    async def list(self, principal: Principal, user: str) -> tuple[SshKey, ...]:
        """The keys of ``user``, oldest first."""
        check_own(principal, user, _("keys"))
        return await self._keys.list(user)

    async def add(self, principal: Principal, user: str, text: str) -> SshKey:
        """Let ``user`` come in by the public key in ``text``; see ``SshKeys.add``."""
        check_own(principal, user, _("keys"))
        key = await self._keys.add(user, text)
        self._note(EventKind.KEY_ADDED, principal, key.user, key.fingerprint)
        return key

    async def remove(self, principal: Principal, user: str, fingerprint: str) -> None:
        """Take a key from ``user``: what it holds open ends at once."""
        check_own(principal, user, _("keys"))
        await self._keys.remove(user, fingerprint)
        self._note(EventKind.KEY_REMOVED, principal, user.lower(), fingerprint)

    def _note(self, kind: EventKind, principal: Principal, user: str, fingerprint: str) -> None:
        did = "added the SSH key" if kind is EventKind.KEY_ADDED else "removed the SSH key"
        text = f"{principal.actor} {did} {fingerprint} of {user}"
        self._events.note(kind, principal.actor, user, text, fingerprint=fingerprint)
