"""The synthetic twin: a synthetic Europe written as the raw files of the sources.

Belongs here: the latent fields, the soil truth, each source's view of it in its native format with
its native faults.
Never here: reading or standardising; no other code knows which files came from here.
"""

from adapters.twin.making import SIZES, SOURCES, stale, write

__all__ = ["SIZES", "SOURCES", "stale", "write"]
