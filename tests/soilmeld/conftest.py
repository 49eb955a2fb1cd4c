from pathlib import Path

import pytest

from adapters.settings import Settings
from soilmeld.reader import Dataset


@pytest.fixture(scope="session")
def settings(whole: tuple[Settings, object]) -> Settings:
    return whole[0]


@pytest.fixture
def data(settings: Settings) -> Dataset:
    return Dataset(settings)


@pytest.fixture
def settings_file(settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "soilmeld.toml"
    path.write_text(f'data_root = "{settings.data_root}"\ntruth_root = "{settings.truth_root}"\n')
    return path
