"""Tests use none of the settings of whoever runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.settings import Settings, load_settings


def test_settings_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    defaults = Settings()
    folders = ("data_root", "truth_root", "recipes")
    expected = defaults.model_copy(update={n: tmp_path / getattr(defaults, n) for n in folders})
    assert load_settings() == expected


def test_settings_in_the_environment_hold_in_no_test(tmp_path: Path) -> None:
    named = {key: "elsewhere" for key in Settings.model_fields}
    settings = tmp_path / "mine.toml"
    settings.write_text('data_root = "elsewhere"')
    environment = {f"SOILMELD_{key.upper()}": value for key, value in named.items()}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"]
    done = subprocess.run(
        [*command, f"{__file__}::{test_settings_are_the_defaults.__name__}"],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, **environment, "SOILMELD_SETTINGS": str(settings)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
