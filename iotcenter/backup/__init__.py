"""Backups: all of a data directory in one file, taken while the server runs, and the way back.

A backup is a tar archive, compressed by gzip, and encrypted in the age format where a passphrase is given: the stock
tools open it too.
"""
