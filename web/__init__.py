"""Templates and static files of the web pages: installed as ``iotcenter.assets``."""
