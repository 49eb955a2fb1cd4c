"""Where the real reference data are: `SOILMELD_REFERENCE_DATA`, never copied into the project."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the real reference data."""
    folder = os.environ.get("SOILMELD_REFERENCE_DATA")
    if not folder:
        pytest.skip("SOILMELD_REFERENCE_DATA is not set: the real reference data are not here")
    return Path(folder)
