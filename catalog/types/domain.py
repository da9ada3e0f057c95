"""Domains: what CREATE DOMAIN makes of another type.

Values are the base type's, in every place: a column of a domain is a column of the base type which knows its
domain (`model.Column.domain`), and what is cast to a domain is its base type afterwards, as it is for
clients in PostgreSQL. The rules are asked where a value becomes the domain's: when a row is written, and by
a cast.
"""

from dataclasses import dataclass, replace

from catalog.types.definitions import quoted
from catalog.types.table import PgType
from storage.errors import FeatureNotSupportedError
from storage.layout import Value


@dataclass(frozen=True, slots=True)
class DomainCheck:
    """A CHECK, in which VALUE is what is checked. oid: pg_constraint.oid. check: SQL text."""

    oid: int
    name: str
    check: str
    valid: bool = True


@dataclass(frozen=True, slots=True)
class DomainDefinition:
    """A domain as it is at one moment.

    base: the type whose values these are, which is no domain. over: the domain that it narrows, if it was
    made of one; that one's rules are its own, as they are by now. default: SQL text.
    """

    oid: int
    array_oid: int
    namespace: str
    name: str
    base: PgType
    typmod: int = -1
    not_null: bool = False
    default: str = ""
    checks: tuple[DomainCheck, ...] = ()
    over: PgType | None = None

    @property
    def of(self) -> PgType:
        """What it was made of: the domain that it narrows, or its base."""
        return self.over or self.base

    @property
    def line(self) -> tuple["DomainDefinition", ...]:
        """It, and before it each domain that it narrows, the first one of all first."""
        if self.over is None:
            return (self,)
        above = self.over.definition
        assert isinstance(above, DomainDefinition)
        return (*above.line, self)

    @property
    def rules(self) -> tuple[DomainCheck, ...]:
        """The checks of its values, in the order in which they are asked."""
        return tuple([check for domain in self.line for check in domain.checks])

    @property
    def required(self) -> bool:
        """Whether NULL is none of its values."""
        return any(domain.not_null for domain in self.line)

    @property
    def depends_on(self) -> int:
        """See `Definition`."""
        return self.oid

    def make(self) -> PgType:
        """The type: its base under the domain's name. Nothing is read as one of it that has checks: who
        casts to it reads the base and asks them, and others cannot (an attribute of a composite type).
        """

        def refuse(_given: object, _typmod: int, _context: object = None) -> Value:
            raise FeatureNotSupportedError(
                f"reading a value of domain {self.name} is not supported here"
            )

        made = replace(
            self.base,
            oid=self.oid,
            array_oid=self.array_oid,
            name=f"{self.namespace}.{self.name}",
            sql_name=quoted(self.name),
            aliases=(),
            definition=self,
        )
        return replace(made, input=refuse, receive=refuse) if self.rules else made


def made_over(definition: DomainDefinition, of: PgType) -> DomainDefinition:
    """The definition, made of a type which may be a domain."""
    above = of.definition
    if isinstance(above, DomainDefinition):
        return replace(definition, base=above.base, over=of)
    return replace(definition, base=of)
