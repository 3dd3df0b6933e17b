"""Runs the checks and the tests and counts them: what ``script/test`` calls once everything is set up.

With names of tests, only those run, without the checks.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

CHECKS = (
    ("ruff", "check", "--quiet", "."),
    ("ruff", "format", "--check", "--quiet", "."),
    ("mypy", "--no-error-summary"),
)

TRIAL = (sys.executable, "-u", "-m", "twisted.trial")
"""Without -j: some tests measure time, and the servers and browsers that others start need the second core."""

SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$")
"""Trial's last line, such as ``FAILED (skips=1, failures=2, successes=12)``."""


@dataclass(frozen=True)
class Tally:
    """How many tests came out how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def problems(self, in_ci: bool) -> list[str]:
        """Why the run is not good as a whole. In CI all that a test may need is there, so nothing may be skipped."""
        problems = {
            "some tests failed": self.failed > 0,
            "no test ran": self.passed + self.failed == 0,
            "in CI no test may be skipped": in_ci and self.skipped > 0,
        }
        return [problem for problem, found in problems.items() if found]


def count(summary: str) -> Tally | None:
    """What a line of trial's output says of the whole run; None where it is another line."""
    found = SUMMARY.match(summary)
    if found is None:
        return None
    pairs = (pair.split("=") for pair in (found[1] or "").split(", ") if pair)
    counts = {name: int(number) for name, number in pairs}
    return Tally(
        passed=counts.get("successes", 0) + counts.get("expectedFailures", 0),
        failed=counts.get("failures", 0) + counts.get("errors", 0) + counts.get("unexpectedSuccesses", 0),
        skipped=counts.get("skips", 0),
    )


def run_trial(names: list[str]) -> tuple[Tally, int]:
    """Run the tests and show what trial prints; the count, and trial's status. Without a summary nothing counts."""
    tally = Tally()
    with subprocess.Popen([*TRIAL, *names], stdout=subprocess.PIPE, text=True, errors="replace") as trial:
        assert trial.stdout is not None
        for line in trial.stdout:
            print(line, end="", flush=True)
            tally = count(line.rstrip()) or tally
    return tally, trial.returncode


def main(names: list[str], environment: Mapping[str, str]) -> int:
    """Run all, and end with the line that counts; 0 where everything is good."""
    # A shell that starts us in the background has us ignore Ctrl-C, and so would all that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    problems = [f"{' '.join(check[:2])} complains" for check in CHECKS if not names and subprocess.call(check)]
    tally, status = run_trial(names or ["tests"])
    problems += tally.problems(environment.get("CI") == "true")
    if status and not problems:
        problems = [f"trial ended with status {status}"]
    print(*(f"Not good: {problem}." for problem in problems), tally, sep="\n", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
