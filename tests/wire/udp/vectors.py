"""The vectors of the protocol: what two implementations that were made apart from each other agree on."""

from __future__ import annotations

PSK = bytes(range(32))
CID = bytes.fromhex("a1b2c3d4")
DEVICE = bytes(range(16))
NONCE_C = bytes(range(0x40, 0x50))
NONCE_S = bytes(range(0x80, 0x90))
TIME = 1795305600
MAX_RX = 0x0C * 16

K_AUTH = bytes.fromhex("127cb6e5a3753d12cc8e08c69e9684e42c4f1c8a0d8275162ffb79ab42fec8ff")
K_SESSION = bytes.fromhex("c04b41a83bf9ce2b9ef8cde49545d4c6df9000f77bdc30d05d4e017f78940ad3")
K_NONCE = bytes.fromhex("bca456c3f60056a97e344436f1e3bbae44560e4b6862d817effaec80d9c3a0d9")

HELLO = bytes.fromhex(
    "c121000c000102030405060708090a0b0c0d0e0f404142434445464748494a4b4c4d4e4f25e1700ab2e6332063b5d0c113402451"
)
WELCOME = bytes.fromhex("c2210005a1b2c3d4808182838485868788898a8b8c8d8e8f6b0230807dcaf8a9f0ac39529dea59266c8fc5ce")
UP_KEY = bytes.fromhex(
    "a42e51d271d06c7666365d36405b018a439a3812e04a18659d8670d7d6a0b15874cdc1db94a95115cc0b40d45392a074"
)
DOWN_KEY = bytes.fromhex(
    "9fde17104e646cf63bab6d9532fc3408cc9040baff737382ffa287c87974c40bb010b1a0afc1acd68a5c04b6f8cf28a1"
)
UP_TEXT = b'\x01\x00\x00{"t":21.5}'
UP = bytes.fromhex("c3a1b2c3d400000001da69b80fd51e7e9e17d0c929021e5ce1162d537cf478d51ad06b887440fc88b7")
DOWN_TEXT = b"\x83\x00\x00"
DOWN = bytes.fromhex("c4a1b2c3d400000001d5c5c36c730551efd51b614cbc0932fbdfe637c19683a7f34dbda313ed1c4e5e")

V1_DEVICE = bytes.fromhex("00112233445566778899aabbccddeeff")
V1_FIRST = bytes.fromhex(
    "494f5400a298afcfeb1f88b283f8eda3960c5a798ad2f4e0026cf751523ba5e979aa2db90101000000112233445566778899aabbccddeeff"
    "010000000000000000000000000000003d75d8d8dc3b72f6712b8ebe44298b5eaa56eb53b164c15fafcaa90e517ad2ef"
)
V1_SECOND = bytes.fromhex(
    "494f5400066fcff0c407f969850f8d88cc4d4e4ecf1f9662f43036d60c21b58178f5a1020101000000112233445566778899aabbccddeeff"
    "ffffffff0000000000000000000000002a1c8730825ea64dc9e2a51b0ad59188541f72dd2ae867cbd60ce841debc46238b46bcf9df8038ca"
    "70bc4349c3ebdd93"
)
