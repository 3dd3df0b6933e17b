"""The clients for chips, tried without one: on this machine under sanitizers, in simulators, on a real MicroPython."""
