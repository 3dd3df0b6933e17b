"""The static files of the pages: style, scripts, icons. Read once, served from memory."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

from twisted.web.server import Request

from iotcenter.texts import _
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import stream
from iotcenter.web.languages import Languages
from iotcenter.web.packing import takes_gzip

_MEDIA = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/vnd.microsoft.icon",
    "woff2": "font/woff2",
    "webmanifest": "application/manifest+json",
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
}
"""What is served, by the end of its name; nothing else is, such as editors' backups."""

_PACKED = frozenset(("css", "js", "svg", "webmanifest", "json", "txt"))
"""What gets smaller by gzip."""


@dataclass(frozen=True)
class Asset:
    """One file. ``packed`` is its content in gzip, empty where that is of no use."""

    media: str
    content: bytes
    packed: bytes


@dataclass(frozen=True)
class Assets:
    """All static files by their path below ``static``. ``build`` changes with any of them, and with any template."""

    files: Mapping[str, Asset]
    build: str
    languages: Languages = field(default_factory=Languages)

    @classmethod
    def load(cls) -> Assets:
        """The files that were installed, or those of the checkout."""
        root = files("iotcenter").joinpath("assets")
        content = {path: file.read_bytes() for path, file in sorted(_below(root, ""))}
        digest = hashlib.sha256(b"".join(path.encode() + b"\0" + data + b"\0" for path, data in content.items()))
        static = {path.removeprefix("static/"): data for path, data in content.items() if path.startswith("static/")}
        return cls(
            {path: _asset(path, data) for path, data in static.items() if _suffix(path) in _MEDIA},
            digest.hexdigest()[:12],
            Languages.read(
                {
                    path[7:-3]: data
                    for path, data in content.items()
                    if path.startswith("locale/") and path.endswith(".mo")
                }
            ),
        )


class AssetHandlers:
    """Serves the static files; the build in their address lets browsers keep them for ever."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    @stream("/static/<build>/<path:path>", role=None, media="application/octet-stream")
    async def show(self, request: Request, principal: None, build: str, path: str) -> None:
        asset = self._assets.files.get(path)
        if asset is None:
            raise HTTPProblem(404, "not_found", _("there is nothing here"))
        current = build == self._assets.build
        request.setHeader("Cache-Control", "public, max-age=31536000, immutable" if current else "no-store")
        request.setHeader("Content-Type", asset.media)
        content = asset.content
        if asset.packed:
            request.setHeader("Vary", "Accept-Encoding")
            if takes_gzip(request):
                request.setHeader("Content-Encoding", "gzip")
                content = asset.packed
        request.setHeader("Content-Length", str(len(content)))
        request.write(content)


def _below(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        if entry.name.startswith((".", "__")):
            continue
        path = f"{prefix}{entry.name}"
        found += _below(entry, f"{path}/") if entry.is_dir() else [(path, entry)]
    return found


def _asset(path: str, content: bytes) -> Asset:
    suffix = _suffix(path)
    packed = gzip.compress(content, mtime=0) if suffix in _PACKED else b""
    return Asset(_MEDIA[suffix], content, packed if len(packed) < len(content) else b"")


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower()
