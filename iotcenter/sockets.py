"""What is set on sockets."""

from __future__ import annotations

import socket
from typing import Any

IDLE, BETWEEN, TRIES = 30, 10, 4
"""Seconds of silence after which the machine at the other end is asked whether it is still there, seconds between two
such questions, and after how many without an answer it counts as gone. NATs forget what is silent for minutes."""


def keep_alive(transport: Any) -> None:
    """Notice when the machine at the other end of a TCP connection has vanished, and keep NATs on the way from
    forgetting it."""
    handle = getattr(transport, "socket", None)
    if isinstance(handle, socket.socket):
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, BETWEEN)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, TRIES)
