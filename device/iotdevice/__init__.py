"""What a device's application imports: a sensor is one function, a command is another.

``twistd iotdevice`` runs the application; it needs nothing more than this::

    from iotdevice import App

    app = App()

    @app.sensor(every=10, unit="Cel")
    def temperature() -> float:
        return read_my_sensor()
"""

from iotcenter.model import LogLevel, Series
from iotdevice.app import App, CommandError
from iotdevice.arguments import Colour, DeclarationError, Limits, Secret, Text
from iotdevice.upload import Upload, UploadError
from iotdevice.version import __version__

__all__ = [
    "App",
    "Colour",
    "CommandError",
    "DeclarationError",
    "Limits",
    "LogLevel",
    "Secret",
    "Series",
    "Text",
    "Upload",
    "UploadError",
    "__version__",
]
