"""The Great Expectations Data Docs: a page for the last validation of each source.

Belongs here: writing a report into the site.
Never here: running expectations (see `engine`).

Great Expectations makes its page templates anew for each page, and compiling them is most of what a
page costs. The views here keep what was compiled.
"""

import datetime
import functools
import shutil
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
)
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.render.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from adapters.settings import Settings
from expectations.engine import Report


class _Compiled(BytecodeCache):
    """Compiled templates of this process."""

    def __init__(self) -> None:
        self.code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.code:
            bucket.bytecode_from_string(self.code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.code[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


class PageView(DefaultJinjaPageView):
    """A page of the site."""

    def __init__(self, **said: Any) -> None:
        super().__init__(**said)
        self.env.bytecode_cache = _COMPILED


class IndexView(DefaultJinjaIndexPageView):
    """The index of the site."""

    def __init__(self, **said: Any) -> None:
        super().__init__(**said)
        self.env.bytecode_cache = _COMPILED


def data_docs(report: Report, settings: Settings) -> Path:
    """Add the report to the Great Expectations Data Docs under `settings.docs`.

    The site keeps one result page a source, that of its last validation. Its index is written by
    `write_index`: it reads every result, so that writing it for each page would be quadratic.

    Returns:
        The result page of the source.
    """
    for old in ("results", "site/validations"):
        shutil.rmtree(settings.docs / old / report.source, ignore_errors=True)
    context = _context(settings.docs)
    suite = ExpectationSuiteIdentifier(report.source)
    key = ValidationResultIdentifier(
        expectation_suite_identifier=suite,
        run_id=RunIdentifier(report.version, datetime.datetime.now(datetime.UTC)),
        batch_identifier=report.source,
    )
    context.validation_results_store.set(key, report.validation)
    context.build_data_docs(resource_identifiers=[key], build_index=False)
    pages = list((settings.docs / "site" / "validations" / report.source).rglob("*.html"))
    if len(pages) != 1:
        raise RuntimeError(f"Data Docs wrote {len(pages)} pages for {report.source}, not one")
    return pages[0]


def write_index(settings: Settings) -> Path:
    """Write the index of all result pages.

    Returns:
        The index.
    """
    # A page that does not exist: no page is built, and then the index.
    none = ExpectationSuiteIdentifier("none")
    _context(settings.docs).build_data_docs(resource_identifiers=[none])
    return settings.docs / "site" / "index.html"


@functools.cache
def _context(folder: Path) -> Any:
    def files(where: str) -> dict[str, str]:
        return {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder.resolve() / where),
        }

    defaults = InMemoryStoreBackendDefaults()
    stores = dict(defaults.stores)
    stores[defaults.validation_results_store_name] = {
        "class_name": "ValidationResultsStore",
        "store_backend": files("results"),
    }
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            stores=stores,
            store_backend_defaults=defaults,
            data_docs_sites={
                "soilmeld": {
                    "class_name": "SiteBuilder",
                    "site_name": "soilmeld",
                    "show_how_to_buttons": False,
                    "store_backend": files("site"),
                    "site_index_builder": {
                        "class_name": "DefaultSiteIndexBuilder",
                        "view": {"module_name": __name__, "class_name": "IndexView"},
                    },
                    "site_section_builders": {
                        "validations": {"view": {"module_name": __name__, "class_name": "PageView"}}
                    },
                }
            },
            analytics_enabled=False,
        ),
    )
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context
