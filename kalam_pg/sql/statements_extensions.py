"""CREATE, ALTER and DROP EXTENSION, and a comment on one. As `statements`."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class CreateExtension:
    """schema, version: "" where they are not given."""

    name: str
    if_not_exists: bool = False
    schema: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class UpdateExtension:
    """version: "" is the newest."""

    name: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class DropExtension:
    names: tuple[str, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class CommentOnExtension:
    """comment: None removes it."""

    name: str
    comment: str | None


ExtensionStatement: TypeAlias = (
    CreateExtension | UpdateExtension | DropExtension | CommentOnExtension
)
