"""The public face of soilmeld: read what was published, from Python or the shell.

Belongs here: opening the published store, listing, querying, exporting, predicting and explaining.
Never here: writing. The verbs of the command line that change state call functions of other rooms.

>>> import soilmeld
>>> data = soilmeld.open()                            # doctest: +SKIP
>>> data.features("open")                             # doctest: +SKIP
>>> tile = soilmeld.tiles("synthetic").read(0)        # doctest: +SKIP
>>> held = soilmeld.profiles("synthetic").index        # doctest: +SKIP
>>> soilmeld.describe_profile("wall.jpg", 8.5, 50.0)  # doctest: +SKIP
"""

from soilmeld.profile_descriptions import describe_profile
from soilmeld.reader import Dataset, open, profiles, tiles

__all__ = ["Dataset", "describe_profile", "open", "profiles", "tiles"]
