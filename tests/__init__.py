"""The tests. All of them, and Hypothesis in them, may take their time: a machine that is slow or busy is no fault."""

from hypothesis import HealthCheck, settings
from twisted.trial import util

util.DEFAULT_TIMEOUT_DURATION = 400.0
"""Seconds after which a test is given up. What it waits for has limits of its own, which say what did not come."""

settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
