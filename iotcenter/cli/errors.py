"""What goes wrong on the command line."""


class CommandError(Exception):
    """A command cannot be carried out; the text is the one line that the user reads."""


class Refused(CommandError):
    """The server will not do what it was asked, however often it is asked; ``status`` is that of HTTP."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class NoServer(CommandError):
    """No server runs on the data directory."""
