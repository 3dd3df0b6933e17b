"""Pictures that are made up: small PNG files of a landscape in any light."""

from __future__ import annotations

import struct
import zlib


def landscape(hour: float, width: int = 160, height: int = 120) -> bytes:
    """A PNG of hills under the sky of that hour."""
    light = max(0.15, 1 - abs(hour - 13) / 11)
    sky = [
        bytes((round(90 * light), round(150 * light), min(255, round(235 * light) + row // 3))) for row in range(height)
    ]
    hill = bytes((round(60 * light), round(110 * light), round(50 * light)))
    rows = []
    for row in range(height):
        line = (hill if row > height * 0.6 + (column - width / 3) ** 2 / 400 else sky[row] for column in range(width))
        rows.append(b"\0" + b"".join(line))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
