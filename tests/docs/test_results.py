"""What is written of measurements, beside what is measured."""

import re
from pathlib import Path

from training.sensors import changes

RESULTS = Path(__file__).parent.parent.parent / "benchmarks" / "RESULTS.md"


def test_each_change_of_a_sensor_is_in_the_table() -> None:
    text = RESULTS.read_text(encoding="utf-8")
    _, _, after = text.partition("| sensor | change | tiles right, kept |")
    table, _, _ = after.partition("\n\n")
    shown = set(re.findall(r"^\| ([\w ]+) \| ([^|]+) \|", table, re.MULTILINE))
    made = {(c.sensor, c.what) for c in changes(("sentinel2", "sentinel1", "relief"))}
    assert shown == made
