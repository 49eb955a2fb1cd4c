"""What is written of measurements, beside what is measured."""

import re
from pathlib import Path

from training.sensors import changes

RESULTS = Path(__file__).parent.parent.parent / "benchmarks" / "RESULTS.md"


def test_each_change_of_a_sensor_is_in_the_table_or_said_to_be_left_out() -> None:
    text = RESULTS.read_text(encoding="utf-8")
    _, _, after = text.partition("| sensor | change | tiles right, kept |")
    table, _, rest = after.partition("\n\n")
    shown = set(re.findall(r"^\| ([\w ]+) \| ([^|]+) \|", table, re.MULTILINE))
    made = {(c.sensor, c.what) for c in changes(("sentinel2", "sentinel1", "relief"))}
    assert shown < made
    said = " ".join(rest.split()).partition("leaves out, to be shorter: ")[2].partition(". ")[0]
    assert set(said.split("; ")) == {" ".join(change) for change in made - shown}
