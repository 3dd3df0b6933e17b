"""The pages: rendered here so that they work without scripts, made live by the modules in ``web/static/``."""
