"""The C core for microcontrollers: its sizes and times on an ATmega328P, and minutes of fuzzing led by coverage."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from _support import show, verdict

from tests.chips import avr
from tests.chips.toolchain import HERE, SANITIZERS, compiled, folder, missing

LONGEST_INPUT = 2000


def main() -> int:
    """Read the command line, and run; 1 where fuzzing found something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of fuzzing (10)")
    options = parser.parse_args()
    reason = avr.missing_parts()
    show([("ATmega328P", reason, "")] if reason else sizes())
    reason = missing("clang")
    if reason:
        show([("fuzzing", reason, "")])
        return 0
    found, inputs = fuzz(options.minutes)
    show([("inputs", str(inputs), ""), ("crashes", found or "0", "0")])
    return 1 if found else 0


def sizes() -> list[tuple[str, str, str]]:
    """What the core takes on an ATmega328P."""
    found = avr.measured()
    memory = found["bytes-device"] + found["bytes-config"] + found["bytes-buffers"]
    rows = [
        ("flash", *verdict(avr.core_size(), 7680, "bytes")),
        ("flash, every function called", f"{avr.core_size(functions=avr.ALL)} bytes", ""),
        ("RAM, with its buffers", *verdict(memory, 450, "bytes")),
        ("stack", f"{found['bytes-stack']} bytes", ""),
    ]
    for name in ("record-out", "record-in"):
        rows.append((name, *verdict(found[f"cycles-{name}"] / avr.FREQUENCY * 1000, 25, "ms")))
    for name in ("hello", "welcome", "first-record"):
        rows.append((name, f"{found[f'cycles-{name}'] / avr.FREQUENCY * 1000:.1f} ms", ""))
    return rows


def fuzz(minutes: float) -> tuple[str, int]:
    """What libFuzzer found within so many minutes, and how many inputs it tried."""
    sanitizers = [option.replace("address", "fuzzer,address", 1) for option in SANITIZERS]
    program = compiled("fuzzer", ("clang", "-std=gnu99", "-g", "-O1", *sanitizers, str(HERE / "fuzz.c")))
    corpus = folder() / "corpus"
    corpus.mkdir()
    options = (f"-max_total_time={int(minutes * 60)}", f"-max_len={LONGEST_INPUT}", "-print_final_stats=1")
    done = subprocess.run(
        [program, *options, f"-artifact_prefix={Path.cwd()}/", corpus], capture_output=True, text=True, check=False
    )
    tried = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
    return done.stderr[-4000:] if done.returncode else "", int(tried[1]) if tried else 0


if __name__ == "__main__":
    sys.exit(main())
