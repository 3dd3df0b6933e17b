"""What is kept, and the promise behind it: what was said to be stored is on disk.

``Store`` is the door. Nothing of SQLite leaves this package: what goes wrong comes out as a ``StorageError``, in words.
"""
