"""What every answer tells browsers to forbid."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.web.doors import Door

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""The Content-Security-Policy: nothing but our own files, no inline script or style, no frames, no way from text to
markup."""

_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with that, browsers send "Origin: null" with our own forms, and the check of the origin
    # would refuse them.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
    "magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}


def set_headers(request: Request, door: Door) -> None:
    """Give ``request`` the headers of every answer; what may be cached says so itself, afterwards.

    There is no Strict-Transport-Security: with a certificate of our own it would lock people out for good whose browser
    forgot the exception, and browsers apply it to all ports of a host, those of other programs too.
    """
    request.responseHeaders.removeHeader("Server")
    for name, value in _ALWAYS.items():
        request.setHeader(name, value)
    if door is Door.HTTPS:  # browsers complain of it elsewhere
        request.setHeader("Cross-Origin-Opener-Policy", "same-origin")


def local_path(text: str) -> str:
    """``text`` where it is a path on this server, else ``/``: what a page may send people on to after they signed in.

    ``//host`` and ``/\\host`` lead elsewhere in browsers, and control characters are dropped by them before they look.
    """
    if not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable() or not text.isascii():
        return "/"
    return text
