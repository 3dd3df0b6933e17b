"""How devices come in: one file for each transport, found as a plugin."""
