"""Who may see to what is somebody's own."""

from __future__ import annotations

from iotcenter.model import Role, User
from iotcenter.texts import _
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.principal import Principal


def is_own(principal: Principal, user: str | None) -> bool:
    """Whether ``principal`` is that user, signed in; a token is not its owner."""
    return principal.user is not None and user is not None and principal.user.name == user.lower()


def own_account(principal: Principal) -> User:
    """The account of who asks. Raises ``HTTPProblem`` for programs, which have none."""
    if principal.user is None:
        raise HTTPProblem(403, "no_account", _("this is for people who are signed in"))
    return principal.user


def check_own(principal: Principal, user: str | None, what: str) -> None:
    """Raise ``HTTPProblem`` unless ``principal`` is ``user``, or an admin, who sees to ``what`` of others too: a word
    in the reader's language."""
    if not is_own(principal, user) and not principal.role.covers(Role.ADMIN):
        words = _("the %(what)s of others take the role %(role)s", what=what, role=_(Role.ADMIN))
        raise HTTPProblem(403, "role", words)
