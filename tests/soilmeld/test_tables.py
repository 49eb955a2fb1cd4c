"""Tables on the command line: what is shown can be read, and what is not is told."""

import polars as pl
import pytest
from rich.console import Console

from soilmeld import cli


@pytest.mark.parametrize(("width", "columns"), [(200, 4), (80, 3), (40, 1)])
def test_columns_that_a_screen_has_no_room_for_are_left_out_and_told(monkeypatch, width, columns):
    frame = pl.DataFrame(
        {
            "source": ["predicted_soc_lucas_biosoil_czo", "zinc_topsoils"],
            "origin": ["synthetic", None],
            "rows": [3, 1],
            "title": ["Predicted organic carbon of topsoils in Europe and beyond it"] * 2,
        }
    )
    if width == 80:
        frame = frame.with_columns(title=pl.lit("word " * 40), source=pl.lit("s" * 50))
    screen = Console(width=width, record=True)
    monkeypatch.setattr(cli, "console", screen)
    cli._print(frame, "Sources")
    said = screen.export_text()
    assert ("too narrow a screen for: " in said) == (columns < 4)
    header = next(line for line in said.splitlines() if " source " in line)
    assert [name for name in frame.columns if f" {name} " in header] == frame.columns[:columns]
    # A source's name can be copied into the next command.
    assert frame["source"][0] in said
    assert max(map(len, said.splitlines())) <= max(width, 60)
