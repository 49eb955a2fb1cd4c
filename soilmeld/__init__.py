"""The public face of soilmeld: read what was published, from Python or the shell.

Belongs here: opening the published store, listing, querying, exporting, predicting and explaining.
Never here: writing. The verbs of the command line that change state call functions of other rooms.

>>> import soilmeld
>>> data = soilmeld.open()                            # doctest: +SKIP
>>> data.features("open")                             # doctest: +SKIP
>>> tile = soilmeld.tiles("synthetic").read(0)        # doctest: +SKIP
"""

from soilmeld.reader import Dataset, open, tiles

__all__ = ["Dataset", "open", "tiles"]
