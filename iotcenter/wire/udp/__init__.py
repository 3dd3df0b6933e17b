"""Encrypted UDP: two versions of one protocol, without sockets, clocks or randomness of their own.

The first byte of a datagram tells the versions apart: ``I`` is version 1, which sketches of IotCenter 1 speak, 0xC1 to
0xC6 are version 2. Whoever owns the socket brings datagrams with the time at which they came, takes datagrams out, and
asks for the time at which to look again.
"""
