"""The guide to refreshing says what the code does."""

import re
from pathlib import Path

import yaml

from adapters import download
from adapters.spec import Access, Poll
from dagster_project import jobs
from expectations import drift

GUIDE = Path(__file__).parent.parent.parent / "docs" / "refresh.md"
TEXT = GUIDE.read_text(encoding="utf-8")


def test_its_specifications_load() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)
    said = [yaml.safe_load(block) for block in blocks]
    kinds = [Access.model_validate(block["access"]).kind for block in said]
    assert kinds == ["http", "stac"]
    assert [Poll.model_validate(block["poll"]).by for block in said] == ["etag", "listing"]


def test_its_numbers_are_those_of_the_code() -> None:
    assert "five times" in TEXT
    assert download.ATTEMPTS == 5
    assert "next eight" in TEXT
    assert jobs.POLL_BATCH == 8
    assert "more than a fifth" in TEXT
    assert drift.MAX_SHRINKAGE == 0.2
    assert "`max_size_change` (half)" in TEXT
    assert Access(kind="manual", instructions="x").max_size_change == 0.5
    assert "doubles, halves or moves by a quarter" in TEXT
    assert (drift.MAX_FACTOR, drift.MAX_SHIFT) == (2, 0.25)
