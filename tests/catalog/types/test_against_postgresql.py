"""What PostgreSQL 15 reads, writes and refuses, text by text (`inputs.py`, `answers.json`)."""

import json
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from catalog.types.registry import by_sql_name, make_typmod
from catalog.types.table import DEFAULT_CONTEXT, PgType, TypeContext
from storage.errors import KalamError
from tests.catalog.types.inputs import INPUTS, Inputs

ANSWERS = json.loads((Path(__file__).parent / "answers.json").read_text())


def context_of(settings: dict[str, str]) -> TypeContext:
    context = DEFAULT_CONTEXT
    for name, value in settings.items():
        match name:
            case "timezone":
                zone = context.timezone if value == "UTC" else ZoneInfo(value)
                context = replace(context, timezone=zone, timezone_name=value)
            case "datestyle":
                style, _, order = value.partition(", ")
                context = replace(context, date_style=style, date_order=order or "MDY")
            case "intervalstyle":
                context = replace(context, interval_style=value)
            case "bytea_output":
                context = replace(context, bytea_output=value)
            case _:
                context = replace(context, extra_float_digits=int(value))
    return context


def type_of(sql: str) -> tuple[PgType, int]:
    name, opened, rest = sql.partition("(")
    modifiers = [int(part) for part in rest.partition(")")[0].split(",")] if opened else []
    type_ = by_sql_name(name + "[]" if sql.endswith("[]") and opened else name)
    assert type_ is not None
    if sql == "char":
        modifiers = [1]
    return type_, make_typmod(type_, modifiers)


def answer(inputs: Inputs, text: str) -> object:
    type_, typmod = type_of(inputs.sql)
    context = context_of(inputs.settings)
    try:
        return type_.output(type_.input(text, typmod, context), context)
    except KalamError as exc:
        return [exc.sqlstate, exc.message, exc.detail, exc.hint]


@pytest.mark.parametrize(
    ("inputs", "answers"),
    list(zip(INPUTS, ANSWERS, strict=True)),
    ids=[" ".join([inputs.sql, *inputs.settings.values()]) for inputs in INPUTS],
)
def test_each_text_is_read_written_or_refused_as_postgresql_does(inputs, answers):
    ours = {text: answer(inputs, text) for text in inputs.texts}
    theirs = dict(zip(inputs.texts, answers, strict=True))
    assert ours == theirs
