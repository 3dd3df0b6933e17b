"""A device's id and key, in the forms in which they go into a program."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import fill


@dataclass(frozen=True)
class UdpKeyForms:
    """``id`` and ``key`` are hexadecimal digits; a key is shown once, and never logged."""

    id: str
    key: str = field(repr=False)

    def c(self) -> str:
        """For a sketch, or any other program in C, behind the library's header: on AVR both lie in flash."""
        return f"{_array('ID', self.id)}\n{_array('KEY', self.key)}"

    def micropython(self) -> str:
        """For MicroPython."""
        return f'DEVICE = {{\n    "id": "{self.id}",\n    "key": "{self.key}",\n}}'

    def qr_text(self) -> str:
        """For a program that is set up with a camera."""
        return f"iotcenter-udp:{self.id}:{self.key}"


def _array(name: str, digits: str) -> str:
    values = ", ".join(f"0x{digits[at : at + 2]}" for at in range(0, len(digits), 2))
    body = fill(values, 80, initial_indent="    ", subsequent_indent="    ")
    return f"const uint8_t {name}[{len(digits) // 2}] IOTCENTER_FLASH = {{\n{body}\n}};"
