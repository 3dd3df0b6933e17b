"""Bytes in, messages out: what the server and its devices say to each other, without sockets or clocks.

Only ``WireError`` comes out of here for input that does not fit; any other exception is a bug.
"""
