"""The agent's wheel, made of what is installed here: a device gets the very version that its server speaks to."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import twisted.plugins
from iotcenter import __version__

FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""When each file in the archive is said to have changed: the same content gives the same bytes."""

PLUGIN = "iotdevice_plugin.py"
SHARED = ("__init__.py", "model.py", "wire")
"""What the agent needs of ``iotcenter``."""

WHEEL = """\
Wheel-Version: 1.0
Generator: iotcenter
Root-Is-Purelib: true
Tag: py3-none-any
"""

ENTRY_POINTS = """\
[console_scripts]
iotdevice = iotdevice.cli:main
"""


@dataclass(frozen=True)
class Wheel:
    """A wheel: the name of its file, which pip goes by, and its bytes."""

    name: str
    content: bytes


def make_wheel() -> Wheel:
    """The wheel of the agent that is installed beside this server. It takes some 50 ms."""
    info = f"iotdevice-{__version__}.dist-info"
    contents = dict(sorted(_sources()))
    contents[f"{info}/METADATA"] = _metadata().encode()
    contents[f"{info}/WHEEL"] = WHEEL.encode()
    contents[f"{info}/entry_points.txt"] = ENTRY_POINTS.encode()
    record = f"{info}/RECORD"
    contents[record] = "".join([*map(_recorded, contents.items()), f"{record},,\n"]).encode()
    return Wheel(f"iotdevice-{__version__}-py3-none-any.whl", _archive(contents))


def _sources() -> Iterator[tuple[str, bytes]]:
    yield from _below(files("iotdevice"), "iotdevice")
    for name in SHARED:
        yield from _below(files("iotcenter").joinpath(name), f"iotcenter/{name}")
    plugin = next(path for folder in twisted.plugins.__path__ if (path := Path(folder) / PLUGIN).is_file())
    yield f"twisted/plugins/{PLUGIN}", plugin.read_bytes()


def _below(entry: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    if entry.is_file():
        yield path, entry.read_bytes()
        return
    for child in entry.iterdir():
        if child.name != "__pycache__" and not child.name.startswith("."):
            yield from _below(child, f"{path}/{child.name}")


def _metadata() -> str:
    lines = files("iotdevice").joinpath("requirements.txt").read_text().splitlines()
    requirements = [line for line in (line.partition("#")[0].strip() for line in lines) if line]
    head = [
        "Metadata-Version: 2.1",
        "Name: iotdevice",
        f"Version: {__version__}",
        "Summary: The agent of IotCenter's devices",
        "License: MIT",
        "Requires-Python: >=3.11",
    ]
    return "\n".join([*head, *(f"Requires-Dist: {one}" for one in requirements), ""])


def _recorded(item: tuple[str, bytes]) -> str:
    path, content = item
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


def _archive(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            entry = zipfile.ZipInfo(path, FIRST_DAY)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()
