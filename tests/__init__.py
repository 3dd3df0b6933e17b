"""The tests. Hypothesis may take its time in all of them: a machine that is slow or busy is no fault."""

from hypothesis import HealthCheck, settings

settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
