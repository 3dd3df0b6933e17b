"""``python -m iotcenter.cli``: the same as the program ``iotcenter``, whether that is on the path or not."""

from iotcenter.cli import main

main()
