"""Where the real reference data are: `SOILMELD_REFERENCE_DATA`, never copied into the project."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.archive import ingest
from adapters.settings import Settings
from adapters.spec import load_spec


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the real reference data."""
    folder = os.environ.get("SOILMELD_REFERENCE_DATA")
    if not folder:
        pytest.skip("SOILMELD_REFERENCE_DATA is not set: the real reference data are not here")
    return Path(folder)


@pytest.fixture(scope="session")
def settings(tmp_path_factory) -> Settings:
    """Settings with an empty data root."""
    return Settings(data_root=tmp_path_factory.mktemp("reference") / "data")


@pytest.fixture(scope="session")
def standard(reference, settings) -> Callable:
    """`standard(source, *files)`: drop real files into the inbox and standardise them, once."""
    from adapters.standardise import standardise

    made = {}

    def make(source: str, *files: str):
        if source not in made:
            inbox = settings.raw / source
            inbox.mkdir(parents=True)
            for file in files:
                shutil.copy(reference / file, inbox)
            spec = load_spec(source)
            raw = ingest(spec, settings)
            assert raw.origin == raw.group == "user"
            made[source] = standardise(spec, raw, settings)
        return made[source]

    return make


@pytest.fixture(scope="session")
def gemas(standard):
    """GEMAS, standardised."""
    return standard("gemas", "gemas_europe/gemas.csv")
