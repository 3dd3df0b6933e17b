"""Loads the application's file, as often as it takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred

from iotcenter.model import AppState
from iotdevice.app import App
from iotdevice.errors import describe
from iotdevice.stage import Stage
from iotdevice.timers import Timers

RETRY = 30.0
"""Seconds after which a file that failed is tried again: what it misses may have been installed."""

LOOK_EVERY = 2.0
"""Seconds between two looks whether the file was changed."""

SLOW = 30.0
"""Seconds after which loading counts as hanging: a loop at the end of the file, most likely."""

MAX_DECLARED = 64 * 1024
"""How many bytes all sensors and commands may take in a greeting: servers take 128 KiB, series of ``app.report``
too."""

MODULE = "iotdevice_application"
"""What the application's module is called while it runs."""


class AppFault(Exception):
    """The application cannot be had from its file; the text says why, ``state`` for the server."""

    def __init__(self, state: AppState, text: str) -> None:
        super().__init__(text)
        self.state = state


def load_app(path: Path) -> App:
    """The ``App`` that the file at ``path`` makes. Raises ``AppFault``, whatever the file does."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = spec_from_file_location(MODULE, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise AppFault(AppState.MISSING, f"there is no file {path}")
    module = module_from_spec(spec)
    sys.modules[MODULE] = module
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise AppFault(
            AppState.MISSING, f"{path.name} needs the module {error.name}, which is not installed"
        ) from error
    except BaseException as error:
        raise AppFault(AppState.FAILED, describe(error, str(path))) from error
    app = getattr(module, "app", None)
    if not isinstance(app, App):
        raise AppFault(AppState.FAILED, f"{path.name} makes no App: it needs the line app = App()")
    if app.declared_size > MAX_DECLARED:
        raise AppFault(AppState.FAILED, f"{path.name} declares {app.declared_size} bytes; {MAX_DECLARED} are allowed")
    return app


class Loader:
    """Tries to load the application until it is there: every 30 s, and when its file changes.

    It is loaded in a thread: a file that never ends, or takes its time, holds nobody else.
    """

    def __init__(self, path: Path, stage: Stage) -> None:
        self._path = path
        self._stage = stage
        self._trouble = stage.trouble("The application")
        self._timers = Timers(stage.clock.steady)
        self._stamp = 0.0
        self._loading: Deferred[App] | None = None

    def start(self, loaded: Callable[[App], None]) -> None:
        """Call ``loaded`` once, with the application."""
        self._loaded = loaded
        self._try()

    def stop(self) -> None:
        """Try no more."""
        self._timers.close()
        if self._loading is not None:
            self._loading.cancel()

    def _try(self) -> None:
        Deferred.fromCoroutine(self._load())

    async def _load(self) -> None:
        self._timers.clear()
        self._timers.within(SLOW, self._hangs)
        self._stamp = self._modified()
        self._loading = self._stage.threads.run(load_app, self._path)
        try:
            app = await self._loading
        except AppFault as fault:
            self._fails(fault.state, str(fault))
        except CancelledError:
            self._timers.within(0.0, self._try)
        except Exception as error:
            self._fails(AppState.FAILED, describe(error))
        else:
            self._timers.clear()
            self._take(app)

    def _take(self, app: App) -> None:
        self._loading = None
        self._stage.health.well("app")
        self._trouble.worked()
        self._loaded(app)

    def _fails(self, state: AppState, text: str) -> None:
        self._stage.health.ails("app", state, text)
        self._trouble.failed(text)
        self._timers.clear()
        self._timers.within(LOOK_EVERY, self._look)
        if state is not AppState.HUNG:
            self._timers.within(RETRY, self._try)

    def _hangs(self) -> None:
        self._fails(AppState.HUNG, f"{self._path.name} has not been loaded after {SLOW:g} s: does it end?")

    def _look(self) -> None:
        """A file that was changed is tried at once, though the old one may still be loading, and keep its thread."""
        if self._modified() == self._stamp:
            self._timers.within(LOOK_EVERY, self._look)
        elif self._loading is not None and not self._loading.called:
            self._loading.cancel()
        else:
            self._try()

    def _modified(self) -> float:
        try:
            return self._path.stat().st_mtime
        except OSError:
            return 0.0
