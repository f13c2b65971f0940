"""For every test: property tests have no deadline, since a loaded machine is no bug."""

from hypothesis import settings

settings.register_profile("usher", deadline=None)
settings.load_profile("usher")
