"""A network of two sides with a router between them, which swallows everything when it is told to."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.support import need

SERVER = "10.213.1.1"
DEVICE = "10.213.2.1"
"""The addresses of the two sides. They are in namespaces of their own, and so in nobody's way."""

ROUTER = ("10.213.1.254", "10.213.2.254")

FORWARDING = "/proc/sys/net/ipv4/ip_forward"
"""Where a namespace is told whether to pass on what is for others. Where it is not, that vanishes without a word."""

CLONE_NEWNET = 0x40000000

ESTABLISHED = "01"
"""How /proc/net/tcp writes that a connection stands."""


def why_not() -> str:
    """Why a road cannot be built here; empty where it can."""
    if shutil.which("ip") is None:
        return "there is no program ip (Debian package iproute2)"
    probe = f"iotcenter-probe-{os.getpid()}"
    added = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if added.returncode:
        return f"network namespaces cannot be made: {added.stderr.strip()}"
    _ip("netns", "del", probe)
    return ""


def why_no_nat() -> str:
    """Why a router cannot translate addresses here; empty where it can."""
    if shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        return "there is no program nft (Debian package nftables)"
    return ""


def road_through_nat(test: TestCase) -> Road:
    """A road whose router hides the device, until the end of ``test``, which is skipped where there can be none."""
    need(why_not() or why_no_nat())
    road = Road()
    test.addCleanup(road.remove)
    road.build()
    road.masquerade()
    return road


NAT = """
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "left" masquerade random
  }
}
table ip filter {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state invalid drop
    iifname "right" accept
    ct state established,related accept
  }
}
"""
"""A home router: what the device begins goes out under the router's address, and nothing else comes in."""


class Road:
    """Two sides and what lies between. ``on_server`` and ``on_device`` are the words that run a command there."""

    def __init__(self) -> None:
        names = [f"iotcenter-{side}-{os.getpid()}" for side in ("server", "router", "device")]
        self._names = names
        self._server, self._router, self._device = names
        self.on_server = ("ip", "netns", "exec", self._server)
        self.on_device = ("ip", "netns", "exec", self._device)

    def as_device(self) -> AbstractContextManager[None]:
        """Sockets that are made within it are the device's, though this process holds them."""
        return _inside(self._device)

    def build(self) -> None:
        """Make all of it."""
        for name in self._names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        for side, address, gateway, plug in (
            (self._server, SERVER, ROUTER[0], "left"),
            (self._device, DEVICE, ROUTER[1], "right"),
        ):
            _ip("link", "add", "out", "netns", side, "type", "veth", "peer", "name", plug, "netns", self._router)
            for name, interface, own in ((side, "out", address), (self._router, plug, gateway)):
                _ip("-n", name, "address", "add", f"{own}/24", "dev", interface)
                _ip("-n", name, "link", "set", interface, "up")
            _ip("-n", side, "route", "add", "default", "via", gateway)
        self.heal()

    def heal(self) -> None:
        """Let everything through."""
        self._forward(True)

    def cut(self) -> None:
        """Swallow everything from now on: neither side is told."""
        self._forward(False)

    def masquerade(self) -> None:
        """Make the router one that hides the device behind its own address, and is strict about what it knows."""
        inside = ["ip", "netns", "exec", self._router]
        subprocess.run([*inside, "nft", "-f", "-"], input=NAT.encode(), check=True, capture_output=True)
        strict = [*inside, "tee", "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"]
        subprocess.run(strict, input=b"0", stdout=subprocess.DEVNULL, check=True)

    def forget(self) -> None:
        """Have the router forget all mappings, as one does that starts again."""
        for state in ("down", "up"):
            _ip("-n", self._router, "link", "set", "left", state)

    def remove(self) -> None:
        """Take all of it away."""
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def _forward(self, on: bool) -> None:
        command = ["ip", "netns", "exec", self._router, "tee", FORWARDING]
        subprocess.run(command, input=b"1" if on else b"0", stdout=subprocess.DEVNULL, check=True)


class Gap:
    """Two sides with nothing between: for ``impair.py`` to join. ``on_left`` and ``on_right`` run a command there."""

    def __init__(self) -> None:
        self.left, self.right = (f"iotcenter-{side}-{os.getpid()}" for side in ("left", "right"))
        self.on_left = ("ip", "netns", "exec", self.left)
        self.on_right = ("ip", "netns", "exec", self.right)

    def as_right(self) -> AbstractContextManager[None]:
        """Sockets that are made within it are the right side's, though this process holds them."""
        return _inside(self.right)

    def build(self) -> None:
        """Make both."""
        for name in (self.left, self.right):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")

    def remove(self) -> None:
        """Take both away."""
        for name in (self.left, self.right):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def connections(pid: int, port: int) -> int:
    """How many connections stand on a port of the namespace in which the process runs."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]
    rows = [line.split() for line in lines]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == ESTABLISHED for row in rows)


@contextmanager
def _inside(namespace: str) -> Iterator[None]:
    """This thread is in a network namespace. (``os.setns`` is there from Python 3.12 on.)"""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as own, Path("/run/netns", namespace).open() as other:
        _enter(libc, other.fileno())
        try:
            yield
        finally:
            _enter(libc, own.fileno())


def _enter(libc: ctypes.CDLL, namespace: int) -> None:
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
