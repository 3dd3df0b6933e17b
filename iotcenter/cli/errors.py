"""What goes wrong on the command line."""


class CommandError(Exception):
    """A command cannot be carried out; the text is the one line that the user reads."""


class Refused(CommandError):
    """The server will not do what it was asked, however often it is asked."""


class NoServer(CommandError):
    """No server runs on the data directory."""
