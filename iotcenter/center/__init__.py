"""The heart: which devices there are, which of them can be reached, where readings go and how commands find their
device."""
