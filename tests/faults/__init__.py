"""What is done to the whole of it, and what it must do then: the rows of the table of faults."""

from pathlib import Path

ECHO_APP = Path(__file__).parent / "echo_app.py"
"""The application of devices that are only to be there."""
