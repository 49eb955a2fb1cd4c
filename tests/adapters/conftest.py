"""Shared by the tests of this room."""

from pathlib import Path

import pytest

from adapters.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with folders of the test's own."""
    return Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")
