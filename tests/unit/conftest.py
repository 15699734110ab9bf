"""Properties are tried on few examples: the whole folder is to run while one waits for it."""

from hypothesis import settings

settings.register_profile("unit", max_examples=60, deadline=None)
settings.load_profile("unit")
