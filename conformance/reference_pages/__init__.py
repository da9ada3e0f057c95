"""The generated pages of docs/reference; `python -m conformance.reference_pages` writes them.

Each page is a `reference()` over the table that it shows; tests/test_docs.py compares.
"""

from collections.abc import Callable
from pathlib import Path

from conformance.reference_pages import errors, functions, settings, types

DIRECTORY = Path(__file__).parents[2] / "docs" / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings.reference,
    "types.md": types.reference,
    "functions.md": functions.reference,
    "errors.md": errors.reference,
}
