"""The C core computes what the standards say."""

from __future__ import annotations

import hmac

from twisted.trial.unittest import SynchronousTestCase

from tests.chips.toolchain import Core, fields, missing

LONGEST_LABEL = 10

AES = ("ECBGFSbox128", "ECBKeySbox128", "ECBVarKey128", "ECBVarTxt128")

SECRET = (
    b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy "
    b"without inconvenience"
)
"""The plaintext of RFC 7518, appendix B."""


class PrimitiveTests(SynchronousTestCase):
    """SHA-256, HMAC, HKDF and AES against published vectors."""

    skip = missing("gcc")

    def setUp(self) -> None:
        """A core that computes."""
        self.core = Core()
        self.addCleanup(self.core.close)

    def test_sha256(self) -> None:
        """SHA-256 gives NIST's digests, for every length of message around its blocks."""
        cases = fields(("hashes", "SHA2", "SHA256ShortMsg.rsp"))
        self.assertGreater(len(cases), 60)
        for case in cases:
            message = bytes.fromhex(case["MSG"])[: int(case["LEN"]) // 8]
            self.assertEqual(self.core.ask("sha256", message).hex(), case["MD"])

    def test_hmac(self) -> None:
        """HMAC gives what RFC 4231 says; the core has no use for keys of more than a block."""
        cases = fields(("HMAC", "rfc-4231-sha256.txt"))
        usable = [case for case in cases if len(case["KEY"]) <= 128]
        self.assertGreaterEqual(len(usable), 4)
        for case in usable:
            found = self.core.ask("hmac", bytes.fromhex(case["KEY"]), bytes.fromhex(case["MSG"]))
            self.assertTrue(found.hex().startswith(case["MD"]))

    def test_hkdf(self) -> None:
        """HKDF-Extract and -Expand give what RFC 5869 says; the core has no use for long labels."""
        cases = fields(("KDF", "rfc-5869-HKDF-SHA256.txt"))
        self.assertEqual(len(cases), 3)
        for case in cases:
            salt, secret, info = (bytes.fromhex(case.get(name, "")) for name in ("SALT", "IKM", "INFO"))
            if len(salt) <= 64:
                self.assertEqual(self.core.ask("hmac", salt, secret).hex(), case["PRK"])
            if len(info) <= LONGEST_LABEL:
                found = self.core.ask("expand", bytes.fromhex(case["PRK"]), info, int(case["L"]))
                self.assertEqual(found.hex(), case["OKM"])

    def test_aes(self) -> None:
        """AES-128 encrypts and decrypts as NIST's vectors say."""
        cases = [case for name in AES for case in fields(("ciphers", "AES", "ECB", f"{name}.rsp"))]
        self.assertGreater(len(cases), 500)
        for case in cases:
            key, plain, sealed = (bytes.fromhex(case[name]) for name in ("KEY", "PLAINTEXT", "CIPHERTEXT"))
            self.assertEqual(self.core.ask("encrypt", key, plain), sealed)
            self.assertEqual(self.core.ask("decrypt", key, sealed), plain)

    def test_aead(self) -> None:
        """What a record is made with gives the authenticated encryption of RFC 7518, appendix B.1."""
        key, vector = bytes(range(32)), bytes.fromhex("1af38c2dc2b96ffdd86694092341bc04")
        data = b"The second principle of Auguste Kerckhoffs"
        sealed = self.core.ask("aead", key[:16], key[16:], vector, data, SECRET)
        self.assertTrue(sealed.startswith(bytes.fromhex("c80edfa32ddf39d5ef00c0b468834279")))
        self.assertEqual(sealed[-16:].hex(), "652c3fa36b0a7c5b3219fab3a30bc1c4")

    def test_hmac_over_its_own_key(self) -> None:
        """An HMAC may be written where its key lies, as the derivation of keys does."""
        extracted = hmac.digest(b"iot2", bytes(range(32)), "sha256")
        expected = hmac.digest(extracted, b"auth\x01", "sha256")
        self.core.tell("key", bytes(range(32)))
        self.assertEqual(self.core.ask("derive", "auth"), expected)
