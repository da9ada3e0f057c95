"""Write every generated page."""

from conformance.reference_pages import DIRECTORY, PAGES

for name, page in PAGES.items():
    (DIRECTORY / name).write_text(page(), encoding="utf-8")
