"""``iotcenter user ...``: people who may sign in. Where no server runs, the data directory is opened in its place."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, Protocol

from iotcenter.cli.api import Api
from iotcenter.cli.asking import confirm, password
from iotcenter.cli.errors import NoServer
from iotcenter.cli.output import Answer, moment, say, table


class Desk(Protocol):
    """Where users are added and changed. Users are as the API shows them."""

    def all(self) -> list[dict[str, Any]]:
        """Everybody."""

    def add(self, name: str, role: str, password: str) -> dict[str, Any]:
        """A new user."""

    def change(self, name: str, what: str, value: str) -> dict[str, Any]:
        """Give a user another ``role`` or ``password``."""

    def remove(self, name: str) -> None:
        """Remove a user, and end their sessions."""


class ServerDesk:
    """The server that runs."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def all(self) -> list[dict[str, Any]]:
        users: list[dict[str, Any]] = self._api.get("users")
        return users

    def add(self, name: str, role: str, password: str) -> dict[str, Any]:
        user: dict[str, Any] = self._api.post("users", body={"name": name, "role": role, "password": password})
        return user

    def change(self, name: str, what: str, value: str) -> dict[str, Any]:
        user: dict[str, Any] = self._api.patch("users", name, body={what: value})
        return user

    def remove(self, name: str) -> None:
        self._api.delete("users", name)


def desk(api: Api) -> Desk:
    """The running server, or the data directory itself where none runs."""
    try:
        api.wait(0)
    except NoServer:
        # Imported here: it brings in Twisted and the storage, which every other command does without.
        from iotcenter.cli.offline import DirectoryDesk

        if not DirectoryDesk.can_open(api.directory):
            raise
        return DirectoryDesk(api.directory)
    return ServerDesk(api)


def list_all(api: Api, given: Namespace) -> Answer:
    """All users, one a line."""
    users = desk(api).all()
    rows = [(user["name"], user["role"], moment(user["created"])) for user in users]
    return Answer(users, table(("Name", "Role", "Since"), rows, "There are no users yet. Run: iotcenter setup-link"))


def add(api: Api, given: Namespace) -> Answer:
    """A new user, with a password from standard input or typed twice."""
    user = desk(api).add(given.name, given.role, password(given.password_stdin))
    return Answer(user, say(f"{user['name']} may sign in as {user['role']}"))


def set_password(api: Api, given: Namespace) -> Answer:
    """Another password for a user, such as one who forgot theirs."""
    user = desk(api).change(given.name, "password", password(given.password_stdin))
    return Answer(user, say(f"{given.name} has a new password"))


def set_role(api: Api, given: Namespace) -> Answer:
    """Another role for a user."""
    user = desk(api).change(given.name, "role", given.role)
    return Answer(user, say(f"{given.name} is {given.role} now"))


def remove(api: Api, given: Namespace) -> Answer:
    """Remove a user; their sessions end at once."""
    confirm(f"Remove the user {given.name}?", given.yes)
    desk(api).remove(given.name)
    return Answer(None, say(f"{given.name} is removed"))


def reset_link(api: Api, given: Namespace) -> Answer:
    """A link by which a user chooses another password. It works once, for a day."""
    made = api.post("users", given.name, "reset-link")
    return Answer(made, say(made["link"]))
