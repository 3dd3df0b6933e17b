"""How IotCenter is packaged: the server, the device's agent, and the plugins by which twistd finds both."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent

FOLDERS = {
    "iotcenter": "iotcenter",
    "iotcenter.assets": "web",
    "iotcenter.backup": "iotcenter/backup",
    "iotcenter.center": "iotcenter/center",
    "iotcenter.cli": "iotcenter/cli",
    "iotcenter.gateway": "iotcenter/gateway",
    "iotcenter.identity": "iotcenter/identity",
    "iotcenter.storage": "iotcenter/storage",
    "iotcenter.transports": "iotcenter/transports",
    "iotcenter.web": "iotcenter/web",
    "iotcenter.web.api": "iotcenter/web/api",
    "iotcenter.web.feeds": "iotcenter/web/feeds",
    "iotcenter.web.pages": "iotcenter/web/pages",
    "iotcenter.wire": "iotcenter/wire",
    "iotcenter.wire.udp": "iotcenter/wire/udp",
    "iotcenter.wire.registrar": "iotcenter/wire/registrar",
    "iotdevice": "device/iotdevice",
    "iotdevice.registrar": "device/iotdevice/registrar",
    "twisted.plugins": "twisted/plugins",
}
"""Each package and its folder. By hand, since find_packages() does not see twisted/plugins: it has no __init__.py, so
that our plugins come to lie beside Twisted's own."""

DATA = {
    "iotcenter.assets": ["*", "**/*"],
    "iotcenter.storage": ["schema/*.sql"],
    "iotdevice": ["requirements.txt"],
}


def version() -> str:
    """The version, read without importing the package, whose requirements may not be installed yet."""
    found = re.search(r'^__version__ = "([^"]+)"', (HERE / "iotcenter/__init__.py").read_text(), re.MULTILINE)
    assert found is not None, "iotcenter/__init__.py sets no __version__"
    return found[1]


def requirements(path: str) -> list[str]:
    """The requirements in a file, without its comments."""
    lines = (line.partition("#")[0].strip() for line in (HERE / path).read_text().splitlines())
    return [line for line in lines if line]


setup(
    name="iotcenter",
    version=version(),
    description="The one server that you run for your IoT devices: readings in, commands out, certificates by itself",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    author="The IotCenter authors",
    license="MIT",
    license_files=["LICENSE"],
    classifiers=["Framework :: Twisted", "Operating System :: POSIX :: Linux", "Programming Language :: Python :: 3"],
    python_requires=">=3.11",
    install_requires=requirements("requirements.txt") + requirements("device/iotdevice/requirements.txt"),
    packages=list(FOLDERS),
    package_dir=FOLDERS,
    package_data=DATA,
    zip_safe=False,
    entry_points={"console_scripts": ["iotcenter=iotcenter.cli:main", "iotdevice=iotdevice.cli:main"]},
)
