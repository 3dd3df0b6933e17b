"""A bad road: joins two network namespaces by two TUN devices, and loses, doubles, reorders, delays and slows packets.

``python tests/faults/impair.py NAMESPACE ADDRESS NAMESPACE ADDRESS [--loss 0.05] [--rate 20e6] ...``, as root.
Everything that chance decides comes from ``--seed``. It says ``ready`` once both devices are up, and runs until it is
ended. The kernel's own ``netem`` does the same where it is there, which it often is not.
"""

from __future__ import annotations

import argparse
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000

MAX_PACKET = 65536

QUEUE = 256 * 1024
"""Bytes that wait for a slow link, each way; what comes beyond is lost, as on a real one."""


class Direction:
    """What happens to packets on their way to ``target``, an open TUN device."""

    def __init__(self, target: int, given: argparse.Namespace, seed: str) -> None:
        self._target = target
        self._given = given
        self._chance = random.Random(seed)
        self._free = 0.0
        self._order = 0
        self._under_way: list[tuple[float, int, bytes]] = []

    def take(self, packet: bytes, now: float) -> None:
        """A packet came."""
        given, chance = self._given, self._chance.random
        if chance() < given.loss or (given.rate and (self._free - now) * given.rate / 8 > QUEUE):
            return
        for _ in range(1 + (chance() < given.double)):
            if given.rate:
                self._free = max(now, self._free) + len(packet) * 8 / given.rate
            due = (self._free if given.rate else now) + given.delay
            due += given.reorder_by if chance() < given.reorder else 0.0
            self._order += 1
            heapq.heappush(self._under_way, (due, self._order, packet))

    def deliver(self, now: float) -> float:
        """Hand over what is due; the answer is when there is more."""
        while self._under_way and self._under_way[0][0] <= now:
            os.write(self._target, heapq.heappop(self._under_way)[2])
        return self._under_way[0][0] if self._under_way else now + 1.0


def device(name: str, namespace: str, address: str, peer: str) -> int:
    """A TUN device that is up in ``namespace``; its other end is the descriptor."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", name, "netns", namespace], check=True)
    inside = ["ip", "-n", namespace]
    subprocess.run([*inside, "address", "add", address, "peer", peer, "dev", name], check=True)
    subprocess.run([*inside, "link", "set", name, "up", "txqueuelen", "1000"], check=True)
    return descriptor


def run(ends: tuple[int, int], ways: dict[int, Direction]) -> None:
    """Carry packets until somebody ends it."""
    while True:
        now = time.monotonic()
        next_due = min(way.deliver(now) for way in ways.values())
        for end in select.select(ends, [], [], max(0.0, next_due - time.monotonic()))[0]:
            try:
                while True:
                    ways[end].take(os.read(end, MAX_PACKET), time.monotonic())
            except BlockingIOError:
                pass


def main() -> None:
    """Read the command line, and carry."""
    parser = argparse.ArgumentParser(description=__doc__)
    for place in ("left", "left_address", "right", "right_address"):
        parser.add_argument(place)
    parser.add_argument("--seed", default="1")
    for option, meaning in (
        ("loss", "share of packets that are lost"),
        ("double", "share that comes twice"),
        ("reorder", "share that is overtaken"),
        ("reorder-by", "seconds by which it is"),
        ("delay", "seconds each way"),
        ("rate", "bits a second each way, 0 for any"),
    ):
        parser.add_argument(f"--{option}", type=float, default=0.0, help=meaning)
    given = parser.parse_args()
    name = f"bad{os.getpid() % 100000}"
    left = device(f"{name}l", given.left, given.left_address, given.right_address)
    right = device(f"{name}r", given.right, given.right_address, given.left_address)
    print("ready", flush=True)
    ways = {left: Direction(right, given, f"{given.seed} right"), right: Direction(left, given, f"{given.seed} left")}
    run((left, right), ways)


if __name__ == "__main__":
    main()
