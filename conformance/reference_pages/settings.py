"""docs/reference/settings.md, from the settings themselves."""

from dataclasses import fields

from kalam_pg.config import Config


def reference() -> str:
    """The page."""
    lines = [
        "# Settings",
        "",
        "A setting is given, last wins, in the TOML file (`--config FILE` or `KALAM_CONFIG`), in the",
        "environment (`KALAM_` and its name in capitals), or on the command line (`--data`, `--host`,",
        "`--port`). Sizes take a unit (`64MB`; B, KB, MB, GB, TB, each 1024 of the one before), times",
        "too (`30s`; us, ms, s, min, h, d). An unknown name is an error. This page is generated from",
        "`kalam_pg/config.py`.",
        "",
        "| setting | default | unit | what it does |",
        "|---|---|---|---|",
    ]
    for item in fields(Config):
        default = "the processors, at most 4" if item.name == "workers" else _shown(item.default)
        meta = item.metadata
        lines.append(f"| `{item.name}` | {default} | {meta['unit']} | {meta['doc']} |")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if isinstance(value, int) and value >= 2**20 and value % 2**20 == 0:
        return f"`{value // 2**20}MB`" if value % 2**30 else f"`{value // 2**30}GB`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
