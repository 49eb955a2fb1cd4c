"""Write the parts of the documentation that the code and the source folders say already.

`make docs` runs it; a test sees that what is checked in is what it would write. The pages of the
sources show the values of the data root at hand, and are written there.
"""

import sys
from pathlib import Path

from adapters.settings import load_settings
from adapters.spec import json_schema, load_spec, source_ids
from soilmeld.pages import write_pages

ROOT = Path(__file__).parent.parent
_NOTICE = """soilmeld
Copyright The soilmeld contributors

Licensed under the Apache License, Version 2.0 (see LICENSE). That licence covers the program, not
the data it works on. Values keep the licence of the source they come from, in every table, matrix
and export. soilmeld holds no files of the sources: users put them in, or installed packages ship
them.

The data sources and their terms, written from the source folders by `make docs`:
"""


def notice() -> str:
    """Text of NOTICE: every source with its licence and attribution."""
    parts = [_NOTICE]
    for spec in (load_spec(source) for source in source_ids()):
        licence = spec.origin.licence
        terms = [licence.id]
        if not licence.redistribute:
            terms.append("may not be passed on")
        if licence.share_alike:
            terms.append("share alike")
        lines = [f"{spec.id}: {spec.title}", f"  {spec.origin.producer}; {', '.join(terms)}"]
        lines += [f"  {text}" for text in (licence.url, licence.attribution, licence.note) if text]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def files() -> dict[Path, str]:
    """Every generated file and what stands in it."""
    return {
        ROOT / "NOTICE": notice(),
        ROOT / "docs" / "schema" / "source.schema.json": json_schema(),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"pages of the sources: {write_pages(load_settings())}\n")
