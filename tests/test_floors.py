"""The house keeps its floors: a file imports from lower floors and from its own package, and from nowhere else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent

ROOMS = (
    (
        1,
        {
            "iotcenter",
            "iotcenter.model",
            "iotcenter.interfaces",
            "iotcenter.clock",
            "iotcenter.config",
            "iotcenter.finishing",
            "iotcenter.listening",
            "iotcenter.logs",
            "iotcenter.memory",
            "iotcenter.sockets",
            "iotcenter.texts",
        },
    ),
    (1.5, {"iotcenter.wire"}),
    (2, {"iotcenter.storage"}),
    (3, {"iotcenter.identity"}),
    (4, {"iotcenter.center"}),
    (5, {"iotcenter.backup"}),
    (5, {"iotcenter.web"}),
    (5, {"iotcenter.transports"}),
    (5, {"iotcenter.gateway"}),
    (6, {"iotcenter.service", "iotcenter.server", "iotcenter.banner"}),
    (6, {"iotcenter.cli"}),
    (7, {"twisted.plugins"}),
)
"""The packages of the server with their floors. Single files that belong together count as one package. The wire lies a
step below storage, which takes reports as the wire decodes them."""

SHARED_WITH_DEVICES = ("iotcenter.model", "iotcenter.wire")

REACTOR = "twisted.internet.reactor"
"""Importing it installs a reactor: where that happens as a module is loaded, no program can choose its own any more."""


class House:
    """The modules of a tree, by name, and what is wrong with their imports."""

    def __init__(self, sources: dict[str, str]) -> None:
        """``sources`` holds the text of each file by its path in the repository."""
        self._sources = sources
        self._paths = {module_name(path): path for path in sources}

    def faults(self) -> list[str]:
        """Every import that reaches where it may not, as a line that names both files."""
        return list(dict.fromkeys(fault for path in self._sources for fault in self._faults_of(path)))

    def _faults_of(self, path: str) -> Iterator[str]:
        module, tree = module_name(path), ast.parse(self._sources[path])
        for node in ast.walk(tree):
            for target in self._targets(node, path):
                reason = refusal(module, target)
                if reason:
                    yield f"{path}:{getattr(node, 'lineno', 0)} imports {self._paths.get(target, target)}: {reason}"
        for node in at_import(tree):
            if REACTOR in self._targets(node, path):
                yield f"{path}:{getattr(node, 'lineno', 0)} imports {REACTOR}: do so in a function"

    def _targets(self, node: ast.AST, path: str) -> list[str]:
        """The modules that a statement imports, in full."""
        if isinstance(node, ast.Import):
            return [name.name for name in node.names]
        if not isinstance(node, ast.ImportFrom):
            return []
        base = absolute(node, path)
        names = [f"{base}.{name.name}" for name in node.names]
        return [name if name in self._paths or name == REACTOR else base for name in names]


def module_name(path: str) -> str:
    """The dotted name of the module in the file at ``path``."""
    return path.removeprefix("device/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def absolute(node: ast.ImportFrom, path: str) -> str:
    """The full name of the module behind ``from``, also where it is relative."""
    if not node.level:
        return node.module or ""
    folder = module_name(str(Path(path).parent)).split(".")
    above = folder[: len(folder) - node.level + 1]
    return ".".join([*above, node.module] if node.module else above)


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a module that run when it is loaded: all but the bodies of its functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from at_import(child)


def package_of(module: str) -> str:
    """The package that a module of ours belongs to, down to the level on which floors are given."""
    return ".".join(module.split(".")[:2])


def refusal(module: str, target: str) -> str:
    """Why ``module`` may not import ``target``; empty where it may."""
    ours, theirs = package_of(module), package_of(target)
    if theirs.partition(".")[0] == "iotdevice" and ours.partition(".")[0] == "iotcenter":
        return "the server reaches nothing of the device's"
    if theirs.partition(".")[0] != "iotcenter" or ours == theirs:
        return ""
    if ours.partition(".")[0] not in ("iotcenter", "twisted"):
        return "" if theirs in SHARED_WITH_DEVICES else f"a device reaches {' and '.join(SHARED_WITH_DEVICES)} alone"
    for package in (ours, theirs):
        if room_of(package) is None:
            return f"{package} has no floor: give it one in {Path(__file__).name}"
    (floor, neighbours), (target_floor, _) = room_of(ours) or (0, set()), room_of(theirs) or (0, set())
    allowed = theirs in neighbours or target_floor < floor
    return "" if allowed else f"floor {target_floor} is not below floor {floor}"


def room_of(package: str) -> tuple[float, set[str]] | None:
    """The floor of a package, and the packages that count as one with it."""
    return next((room for room in ROOMS if package in room[1]), None)


def sources(*folders: str) -> dict[str, str]:
    """The Python files under ``folders`` of the repository."""
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


class TreeTests(SynchronousTestCase):
    """The tree as it is."""

    def test_imports_point_down(self) -> None:
        """No file of the server or of the agent imports from where it may not."""
        faults = House(sources("iotcenter", "device/iotdevice", "twisted")).faults()
        self.assertEqual(faults, [], "\n" + "\n".join(faults))

    def test_no_reactor_in_tests_and_benchmarks(self) -> None:
        """Nor do the tests and the benchmarks install a reactor as they are loaded."""
        faults = [fault for fault in House(sources("tests", "bench")).faults() if REACTOR in fault]
        self.assertEqual(faults, [], "\n" + "\n".join(faults))


class RuleTests(SynchronousTestCase):
    """The rules themselves, on trees made up for the purpose."""

    def faults(self, **files: str) -> list[str]:
        """What is wrong with a tree of ``files``, where ``a__b`` stands for ``iotcenter/a/b.py``."""
        return House({"iotcenter/" + name.replace("__", "/") + ".py": text for name, text in files.items()}).faults()

    def test_up(self) -> None:
        """An import that points up is found, and the line names both files."""
        faults = self.faults(storage__readings="import os\nfrom iotcenter.center import routes", center__routes="")
        self.assertEqual(
            faults,
            ["iotcenter/storage/readings.py:2 imports iotcenter/center/routes.py: floor 4 is not below floor 2"],
        )

    def test_sideways(self) -> None:
        """Two packages of one floor know nothing of each other, not even inside a function."""
        faults = self.faults(web__pages="def page():\n    import iotcenter.transports.tls", transports__tls="")
        self.assertEqual(len(faults), 1)
        self.assertIn("iotcenter/transports/tls.py", faults[0])

    def test_relative(self) -> None:
        """A relative import is followed to where it leads."""
        self.assertEqual(self.faults(center__routes="from . import heart", center__heart=""), [])
        self.assertEqual(len(self.faults(center__routes="from ..web import pages", web__pages="")), 1)

    def test_down(self) -> None:
        """Lower floors, the own package, and the neighbours on floor 1 are free."""
        tree = self.faults(
            service="from iotcenter.web.site import Site",
            web__site="from iotcenter.web import pages\nimport iotcenter.model",
            web__pages="",
            interfaces="from iotcenter.model import Device",
            model="",
        )
        self.assertEqual(tree, [])

    def test_homeless(self) -> None:
        """A package that has no floor yet is asked to take one."""
        faults = self.faults(cellar__wine="from iotcenter import model", model="")
        self.assertIn("iotcenter.cellar has no floor", faults[0])

    def test_device(self) -> None:
        """A device may use the nouns and the wire, and nothing else of the server; the server nothing of the device."""
        device = House({"device/iotdevice/agent.py": "from iotcenter.wire import codec\nimport iotcenter.storage"})
        fault = "imports iotcenter.storage: a device reaches iotcenter.model and iotcenter.wire alone"
        self.assertEqual(device.faults(), [f"device/iotdevice/agent.py:2 {fault}"])
        self.assertEqual(len(self.faults(web__join="import iotdevice.cli")), 1)

    def test_reactor(self) -> None:
        """The reactor is imported in functions only, however the import is written."""
        inside = "def run():\n    from twisted.internet import reactor"
        outside = "try:\n    from twisted.internet import reactor\nfinally:\n    pass"
        self.assertEqual(self.faults(service=inside), [])
        self.assertEqual(len(self.faults(service=outside)), 1)
        self.assertEqual(len(self.faults(service="import twisted.internet.reactor")), 1)
