"""The public keys by which users come in over SSH, and who is told when one counts no more."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from twisted.internet.defer import Deferred

from iotcenter.finishing import finishing
from iotcenter.identity.errors import Unfit
from iotcenter.identity.users import canonical
from iotcenter.identity.watchers import Watchers
from iotcenter.storage.ssh_keys import Holder, SshKey
from iotcenter.storage.store import Store
from iotcenter.texts import _

MAX_TEXT = 20_000
"""The longest text that is looked at: the line of the longest RSA key has some 3,000 characters."""

MAX_COMMENT = 200

RSA_BITS = (2048, 8192)
"""Shorter RSA keys can be broken; a signature by a longer one takes milliseconds to check."""

KINDS = "ssh-ed25519, ecdsa-sha2-nistp256, -384 and -521, and ssh-rsa"


class SshKeys:
    """All users' keys.

    Whoever holds a session open by a key watches its user, and looks again who may come in when anything about that
    user or their keys changed.
    """

    def __init__(self, store: Store, seconds: Callable[[], float]) -> None:
        self._store = store.ssh_keys
        self._seconds = seconds
        self._watchers = Watchers()

    async def list(self, user: str) -> tuple[SshKey, ...]:
        """The keys of a user, oldest first. Fails with storage's ``NotFound``."""
        return await self._store.all(canonical(user))

    @finishing
    async def add(self, user: str, text: str) -> SshKey:
        """Let ``user`` come in by the public key in ``text``, a line as in ``~/.ssh/id_ed25519.pub``.

        Fails with ``Unfit`` where that is none, and with storage's ``NotFound``, ``NameTaken`` and ``TooManyKeys``.
        """
        key, comment = parse(text)
        row = SshKey(fingerprint_of_line(key), canonical(user), key, comment, self._seconds())
        await self._store.add(row)
        return row

    @finishing
    async def remove(self, user: str, fingerprint: str) -> None:
        """Take a key from a user: what it holds open ends. Fails with storage's ``NotFound``."""
        await self._store.remove(canonical(user), fingerprint)
        self.changed(canonical(user))

    async def holder(self, user: str, blob: bytes) -> Holder | None:
        """Who ``user`` is and what they may do, if ``blob`` is a key of theirs."""
        return await self._store.holder(canonical(user), fingerprint_of(blob))

    def used(self, blob: bytes) -> Deferred[int]:
        """Remember that somebody came in by that key."""
        return self._store.used(fingerprint_of(blob), self._seconds())

    def watch(self, user: str, changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed`` once, with the reason, when something about the user or their keys is another than now.

        Returns the function that ends the watch.
        """
        return self._watchers.add(canonical(user), changed)

    def changed(self, user: str) -> None:
        """A user was given another role, lost a key, or is gone."""
        self._watchers.bar(canonical(user), "your account or your key has changed")


def fingerprint_of(blob: bytes) -> str:
    """What a key is called: ``SHA256:`` and the digest in Base64, as OpenSSH has it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


def fingerprint_of_line(line: str) -> str:
    """The fingerprint of a public key as it stands in files: its type, and itself in Base64."""
    return fingerprint_of(base64.b64decode(line.split()[1] + "=="))


def parse(text: str) -> tuple[str, str]:
    """The key (its type, and itself in Base64) and the comment of a public key's line. Raises ``Unfit``."""
    line = text.strip() if len(text) <= MAX_TEXT else ""
    if "PRIVATE KEY" in line:
        raise Unfit("key", _("that is a private key: nobody else may see it; give the file that ends in .pub"))
    found = re.fullmatch(r"([a-z0-9@.-]+) +([A-Za-z0-9+/]+={0,2})(?: +([^\r\n]*))?", line)
    if found is None:
        raise Unfit("key", _("a public key is one line that begins with its type, such as ssh-ed25519 AAAA... name"))
    if found[1].startswith("sk-"):
        raise Unfit("key", _("keys on security tokens cannot be used here; these can: %(kinds)s", kinds=KINDS))
    return _checked(f"{found[1]} {found[2]}"), "".join(filter(str.isprintable, found[3] or ""))[:MAX_COMMENT]


def _checked(line: str) -> str:
    """The key of ``line``, written anew: nothing but the key itself is kept. Raises ``Unfit``."""
    try:
        key = load_ssh_public_key(line.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        words = _("that is no public key of a kind that can be used here: %(kinds)s", kinds=KINDS)
        raise Unfit("key", words) from None
    if isinstance(key, RSAPublicKey):
        if not RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
            bits = {"least": RSA_BITS[0], "most": RSA_BITS[1], "bits": key.key_size}
            raise Unfit("key", _("an RSA key has %(least)s to %(most)s bits here; this one has %(bits)s", **bits))
    elif not isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey):
        raise Unfit("key", _("keys of that kind cannot be used here; these can: %(kinds)s", kinds=KINDS))
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
