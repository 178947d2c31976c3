"""For every test: no deadline for a law, because machines are shared; what a law finds is what counts."""

from hypothesis import settings

settings.register_profile("nextbest", deadline=None)
settings.load_profile("nextbest")
