"""Users' SSH keys: which are taken, whose they are, and who is told when one counts no more."""

from __future__ import annotations

import base64
import contextlib

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from iotcenter.identity.errors import Unfit
from iotcenter.identity.ssh_keys import SshKeys, fingerprint_of, parse
from iotcenter.model import Role
from iotcenter.storage.accounts import UserRow
from iotcenter.storage.errors import NameTaken, NotFound
from iotcenter.storage.store import Store
from tests.identity.support import NOW, new_directory

FORMS = Encoding.OpenSSH, PublicFormat.OpenSSH


def line_of(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey) -> str:
    """The public key as its file has it."""
    return key.public_key().public_bytes(*FORMS).decode()


ED25519 = line_of(ed25519.Ed25519PrivateKey.generate())


class ParseTests(SynchronousTestCase):
    """What people paste."""

    def refusal(self, text: str) -> str:
        """Why it is not taken."""
        with self.assertRaises(Unfit) as caught:
            parse(text)
        self.assertEqual(caught.exception.field, "key")
        return str(caught.exception)

    def test_good(self) -> None:
        """The usual kinds, with a comment or without, and white space around."""
        others = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
        for key in (ED25519, *(line_of(other) for other in others)):
            self.assertEqual(parse(key), (key, ""))
            self.assertEqual(parse(f"\n {key}  ann's laptop\r\n"), (key, "ann's laptop"))

    def test_private(self) -> None:
        """A private key is not taken, and the text says which file to give."""
        private = ed25519.Ed25519PrivateKey.generate()
        text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        self.assertIn("private key", self.refusal(text))

    def test_weak(self) -> None:
        """Short RSA keys, and kinds that nobody should use."""
        self.assertIn("2048 to 8192 bits", self.refusal(line_of(rsa.generate_private_key(65537, 1024))))
        self.assertIn("ssh-ed25519", self.refusal("ssh-dss AAAAB3NzaC1kc3MAAA== old"))
        self.assertIn("security tokens", self.refusal("sk-ssh-ed25519@openssh.com AAAA token"))

    def test_not_a_key(self) -> None:
        """Anything else, two keys at once, options before the key."""
        shorter = ("", "hello", "ssh-ed25519", "ssh-ed25519 AAAA")
        for text in (*shorter, f"{ED25519}\n{ED25519}", f'command="x" {ED25519}', "x" * 30_000):
            self.refusal(text)

    @given(st.text(max_size=200))
    def test_hostile_text(self, text: str) -> None:
        """Whatever is pasted, it is a key or refused."""
        with contextlib.suppress(Unfit):
            parse(text)

    def test_fingerprint(self) -> None:
        """As ssh-keygen -l shows it."""
        self.assertEqual(fingerprint_of(b""), "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")


class SshKeysTests(TestCase):
    """Keys on file."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Two users."""
        from twisted.internet import reactor

        self.store = Store(new_directory(self), reactor)
        self.store.open()
        self.addCleanup(self.store.close)
        self.keys = SshKeys(self.store, lambda: NOW)
        for name, role in (("ann", Role.OPERATOR), ("bob", Role.VIEWER)):
            await self.store.accounts.add_user(UserRow(name, role, "", NOW))

    async def test_holder(self) -> None:
        """A key stands for its user, as they are now, and for nobody else."""
        key = await self.keys.add("Ann", f"{ED25519} laptop")
        blob = base64.b64decode(ED25519.split()[1])
        self.assertEqual(key, (await self.keys.list("ann"))[0])
        self.assertEqual((key.user, key.comment, key.fingerprint), ("ann", "laptop", fingerprint_of(blob)))
        holder = await self.keys.holder("ann", blob)
        self.assertEqual(holder and holder.role, Role.OPERATOR)
        self.assertIsNone(await self.keys.holder("bob", blob))
        self.assertIsNone(await self.keys.holder("ann", blob + b"x"))

    async def test_one_owner(self) -> None:
        """A key that somebody has cannot be somebody else's too."""
        await self.keys.add("ann", ED25519)
        for user in ("ann", "bob"):
            with self.assertRaises(NameTaken):
                await self.keys.add(user, ED25519)
        with self.assertRaises(NotFound):
            await self.keys.add("carl", line_of(ed25519.Ed25519PrivateKey.generate()))

    async def test_watched(self) -> None:
        """Who watches a user is told when one of their keys is removed, and not when somebody else's is."""
        told: list[str] = []
        self.keys.watch("ann", told.append)
        mine = await self.keys.add("ann", ED25519)
        theirs = await self.keys.add("bob", line_of(ed25519.Ed25519PrivateKey.generate()))
        with self.assertRaises(NotFound):
            await self.keys.remove("bob", mine.fingerprint)
        await self.keys.remove("bob", theirs.fingerprint)
        self.assertEqual(told, [])
        await self.keys.remove("ann", mine.fingerprint)
        self.assertEqual(len(told), 1)

    async def test_gone_with_the_user(self) -> None:
        """A user who is removed leaves no key behind."""
        await self.keys.add("bob", ED25519)
        await self.store.accounts.remove_user("bob")
        await self.keys.add("ann", ED25519)
