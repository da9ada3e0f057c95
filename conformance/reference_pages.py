"""Write the generated pages of docs/reference: `python -m conformance.reference_pages`.

Each page is a `reference()` beside the table that it shows; tests/test_docs.py compares.
"""

from collections.abc import Callable
from pathlib import Path

import catalog.types.reference
import kalam_pg.config
import kalam_pg.functions.reference
import kalam_pg.server.error_reference

DIRECTORY = Path(__file__).parents[1] / "docs" / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "settings.md": kalam_pg.config.reference,
    "types.md": catalog.types.reference.reference,
    "functions.md": kalam_pg.functions.reference.reference,
    "errors.md": kalam_pg.server.error_reference.reference,
}


def main() -> None:
    for name, page in PAGES.items():
        (DIRECTORY / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
