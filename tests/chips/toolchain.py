"""Compilers, simulators and what they are fed: found where they are installed, and asked for where they are not."""

from __future__ import annotations

import atexit
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

HERE = Path(__file__).parent
LIBRARY = HERE.parent.parent / "device" / "arduino" / "IotCenter"
SOURCES = LIBRARY / "src"

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Werror")
HOST = ("gcc", "-std=gnu99", "-g", "-O1", *WARNINGS, *SANITIZERS)

LONGEST = 300
"""Seconds that a compiler or a simulator may take on a slow machine."""


def missing(*programs: str) -> str | None:
    """Why a test cannot be run here: which of the programs are not installed; None where all are."""
    absent = [program for program in programs if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


@cache
def folder() -> Path:
    """A folder for what is compiled. It goes when the tests are over."""
    path = Path(mkdtemp(prefix="iotcenter-chips-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@cache
def compiled(name: str, command: tuple[str, ...]) -> Path:
    """The file that ``command`` makes, with ``-o`` behind it; made once for all tests."""
    target = folder() / name
    output(*command, "-o", str(target))
    return target


def output(*command: str, within: Path | None = None) -> str:
    """What ``command`` prints. Raises ``AssertionError`` with all of it where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False, cwd=within)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Core:
    """The C core in a process of its own, under sanitizers, which does what it is told; see ``core.c``. Or another
    client, by ``words``, that takes the same lines."""

    def __init__(self, *words: str) -> None:
        program = words or (str(compiled("core", (*HOST, str(HERE / "core.c")))),)
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def tell(self, verb: str, *arguments: bytes | str | float) -> list[list[str]]:
        """The words of each line that it says to that. Raises ``AssertionError`` where it ends instead."""
        assert self._process.stdin is not None and self._process.stdout is not None
        words = [f"x{given.hex()}" if isinstance(given, bytes) else str(given) for given in arguments]
        self._process.stdin.write(f"{' '.join([verb, *words])}\n".encode())
        self._process.stdin.flush()
        lines: list[list[str]] = []
        for line in self._process.stdout:
            if line == b".\n":
                return lines
            lines.append(line.decode().split())
        raise AssertionError(f"the core ended at {verb} {' '.join(words)}: {self._complaint()}")

    def ask(self, verb: str, *arguments: bytes | str | float) -> bytes:
        """The bytes that a primitive gives."""
        ((_, found),) = self.tell(verb, *arguments)
        return b"" if found == "-" else bytes.fromhex(found)

    def close(self) -> None:
        """End it. Raises ``AssertionError`` where the sanitizers found something to say, such as a leak."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(LONGEST)
        complaint = self._complaint()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        assert status == 0, complaint

    def _complaint(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read().decode(errors="replace")


def fields(path: Sequence[str]) -> list[dict[str, str]]:
    """The cases of one of NIST's files of vectors, or of an RFC's in that form: their ``name = value`` lines."""
    from cryptography_vectors import open_vector_file

    cases: list[dict[str, str]] = [{}]
    with open_vector_file("/".join(path), "r") as file:
        for line in file:
            name, equals, value = (part.strip() for part in line.partition("="))
            if not equals or name.startswith(("#", "[")):
                continue
            if name.upper() in ("COUNT", "LEN") or (name in cases[-1]):
                cases.append({})
            cases[-1][name.upper()] = value
    return [case for case in cases if len(case) > 1]
