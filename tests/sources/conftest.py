"""Shared by the tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from twin_maps import Made, copied, standardised

from adapters.settings import Settings
from adapters.spec import SourceSpec
from adapters.standardise import Standard


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Settings with an inbox of the test's own."""
    return Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")


@pytest.fixture
def user(made: Made, own: Settings) -> Callable[..., tuple[Settings, Standard]]:
    """Standardise a user's copy of the twin's files, changed by a function."""

    def changed(
        source: str, change: Callable[[Path], object], spec: SourceSpec | None = None
    ) -> tuple[Settings, Standard]:
        change(copied(made.settings, own, source))
        return own, standardised(source, own, spec)

    return changed
