"""What the UI shows of text that came from elsewhere."""

import dataclasses

import pytest
from good_tile import good_tile

from dagster_project import rendering
from fusion.captions.caption import caption_tile
from fusion.captions.of_set import SCHEMA

NAME = "Aarhus ![p](//x.org)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("![p](https://x.org/p.png)", r"!\[p\](https://x.org/p.png)"),
        (r"!\[p\](https://x.org/p.png)", r"!\\\[p\\\](https://x.org/p.png)"),
        ("<img src=x>", r"\<img src=x\>"),
        ("a|b\n# c", r"a\|b # c"),
        ("lucas_2018: 4.5 %", "lucas_2018: 4.5 %"),
    ],
)
def test_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert rendering.plain(text) == shown
    assert rendering.table([{"what": text}]).value.splitlines()[2] == f"| {shown} |"


def test_a_place_name_brings_no_picture_into_the_page() -> None:
    tile = dataclasses.replace(
        good_tile(1), extra={"place_names": [NAME], "map_tags": {"name": "<b>x</b>"}}
    )

    class Writer:
        name = "by hand"

        def __call__(self, *_: object) -> list[str]:
            return [f"It is a summer scene near {NAME}. OpenStreetMap marks <b>x</b>."]

    captioned = caption_tile(tile, Writer(), 1)
    assert NAME in captioned.text
    claims = [
        {"kind": v.claim.kind, "status": v.status, "evidence": v.evidence}
        for sentence in captioned.sentences
        for v in sentence.verdicts
    ]
    record = dict.fromkeys(SCHEMA) | {
        "caption": captioned.text,
        "sentences": [{"text": captioned.text, "claims": claims}],
        "removed": [],
    }
    shown = rendering.tiles([tile], [record]).value
    assert "said to lie near: Aarhus" in shown
    assert "![p](" not in shown
    assert "<b>" not in shown.replace(r"\<b", "")
