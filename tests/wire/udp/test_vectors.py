"""The bytes are those of the protocol, and the primitives those of their standards."""

from __future__ import annotations

import hmac

import cryptography_vectors
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.udp import version1
from iotcenter.wire.udp.handshake import Flag, Hello, Welcome, parse_hello, parse_welcome
from iotcenter.wire.udp.keys import DeviceKeys, expand, extract
from iotcenter.wire.udp.records import SERVER_WINDOW, Opener, RecordType, Sealer
from iotcenter.wire.udp.version1 import Packet, PacketType
from tests.wire.udp import vectors as v


class Version2Tests(SynchronousTestCase):
    """One handshake and one record each way."""

    def setUp(self) -> None:
        self.keys = DeviceKeys(v.PSK)

    def test_keys(self) -> None:
        """A device's key gives a key for each purpose."""
        self.assertEqual((self.keys.auth, self.keys.session, self.keys.nonce), (v.K_AUTH, v.K_SESSION, v.K_NONCE))

    def test_handshake(self) -> None:
        """HELLO, WELCOME, and the keys that both ends have then."""
        hello = Hello(Flag(0), v.MAX_RX, v.DEVICE, v.NONCE_C)
        welcome = Welcome(0, 25, v.CID, v.NONCE_S, v.TIME)
        self.assertEqual(hello.datagram(self.keys), v.HELLO)
        self.assertEqual(welcome.datagram(self.keys, v.HELLO), v.WELCOME)
        self.assertEqual(parse_hello(v.HELLO), hello)
        self.assertEqual(parse_welcome(v.WELCOME, v.HELLO, self.keys), welcome)
        self.assertEqual(self.keys.record_keys(v.HELLO, v.WELCOME), (v.UP_KEY, v.DOWN_KEY))

    def test_records(self) -> None:
        """The first record of each direction, sealed and opened."""
        for key, kind, text, record in (
            (v.UP_KEY, RecordType.UP, v.UP_TEXT, v.UP),
            (v.DOWN_KEY, RecordType.DOWN, v.DOWN_TEXT, v.DOWN),
        ):
            self.assertEqual(Sealer(key, kind, v.CID).seal(text), record)
            self.assertEqual(Opener(key, kind, v.CID, SERVER_WINDOW).open(record), text)


class Version1Tests(SynchronousTestCase):
    """Packets that an original sketch made."""

    def test_packets(self) -> None:
        """They are opened, and made the same."""
        for datagram, counter, text in (
            (v.V1_FIRST, 1, b'{"values":{"t1":21.5}}'),
            (v.V1_SECOND, 4294967295, b'{"values":{"t1":21.5,"t2":-3.25}}'),
        ):
            packet = Packet(PacketType.FROM_DEVICE, v.V1_DEVICE, counter, 0, text)
            self.assertEqual(version1.device_of(datagram), v.V1_DEVICE)
            self.assertTrue(version1.is_authentic(datagram, v.PSK))
            self.assertEqual(version1.open_packet(datagram, v.PSK), packet)
            self.assertEqual(packet.datagram(v.PSK), datagram)


class StandardTests(SynchronousTestCase):
    """RFC 7518 B.1, and the vectors that come with cryptography."""

    def test_rfc_7518(self) -> None:
        """AES-CBC and HMAC are joined as in AEAD_AES_128_CBC_HMAC_SHA_256: the tag covers data, IV, text and length."""
        key = bytes(range(32))
        data = b"The second principle of Auguste Kerckhoffs"
        vector = bytes.fromhex("1af38c2dc2b96ffdd86694092341bc04")
        body = bytes.fromhex(
            "c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9a94ac9b47ad2655c5f10f9aef71427e2"
            "fc6f9b3f399a221489f16362c703233609d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b"
            "384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade54b8851ffb598f7f80074b9473c82e2db"
        )
        signed = data + vector + body + (len(data) * 8).to_bytes(8, "big")
        tag = bytes.fromhex("652c3fa36b0a7c5b3219fab3a30bc1c4")
        self.assertEqual(hmac.digest(key[:16], signed, "sha256")[:16], tag)

    def test_hkdf(self) -> None:
        """HKDF with SHA-256 (RFC 5869)."""
        cases = _cases("KDF/rfc-5869-HKDF-SHA256.txt", "COUNT")
        self.assertGreaterEqual(len(cases), 3)
        for case in cases:
            prk = extract(case["salt"], case["IKM"])
            self.assertEqual(prk, case["PRK"])
            self.assertEqual(expand(prk, case["info"], len(case["OKM"])), case["OKM"])

    def test_hmac(self) -> None:
        """HMAC with SHA-256 (RFC 4231)."""
        cases = _cases("HMAC/rfc-4231-sha256.txt", "Len")
        self.assertGreaterEqual(len(cases), 5)
        for case in cases:
            self.assertEqual(hmac.digest(case["Key"], case["Msg"], "sha256")[: len(case["MD"])], case["MD"])


def _cases(path: str, first: str) -> list[dict[str, bytes]]:
    """The cases in a file of vectors; each begins with the field ``first``."""
    with cryptography_vectors.open_vector_file(path, "r") as file:
        lines = [line.strip() for line in file if "=" in line and not line.startswith("#")]
    cases: list[dict[str, bytes]] = []
    for line in lines:
        name, _, value = (part.strip() for part in line.partition("="))
        if name == first:
            cases.append({})
        elif cases and all(letter in "0123456789abcdefABCDEF" for letter in value) and len(value) % 2 == 0:
            cases[-1][name] = bytes.fromhex(value)
    return cases
