"""Frames that are almost right, as many as one likes: nothing but ``WireError`` may come out, and memory stays flat."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time

from _support import show, verdict

from iotcenter.wire.codec import decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import FrameReader
from tests.faults.mutants import framed, mutant
from tests.processes import resident

GROWTH = 4.0
"""The goal, in MB: what an allocator keeps back."""


def main() -> int:
    """Read the command line, and run; 1 where anything else came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="how many (1,000,000)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)), help="what they are made from")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    feed(options.frames // 10, chance)
    before, began = resident(os.getpid()), time.process_time()
    messages, others = feed(options.frames, chance)
    seconds = time.process_time() - began
    growth = (resident(os.getpid()) - before) / 1_000_000
    show(
        [
            ("seed", str(options.seed), ""),
            ("frames", str(options.frames), ""),
            ("of them messages all the same", str(messages), ""),
            ("other exceptions", str(len(others)), "0"),
            ("memory that was not given back", *verdict(growth, GROWTH, "MB")),
            ("processor time, with the making of them", f"{seconds:.1f} s", ""),
        ]
    )
    print(*others[:10], sep="\n")
    return 1 if others else 0


def feed(count: int, chance: random.Random) -> tuple[int, list[str]]:
    """Read so many frames, cut anyhow: how many were messages, and what else than ``WireError`` was raised."""
    reader, messages, others = FrameReader(), 0, []
    for _ in range(count):
        data = framed(mutant(chance))
        middle = chance.randrange(len(data))
        for piece in (data[:middle], data[middle:]):
            for body in reader.receive(piece):
                try:
                    decode(body)
                    messages += 1
                except WireError:
                    continue
                except Exception as error:
                    others.append(f"{error!r}: {body.hex()}")
    return messages, others


if __name__ == "__main__":
    sys.exit(main())
