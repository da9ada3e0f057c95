"""SQLAlchemy's ORM: relations, a unit of work, queries, reflection, create_all and drop_all."""

import datetime as dt
import decimal
import enum

from sqlalchemy import (
    CheckConstraint,
    Enum,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Numeric,
    String,
    UniqueConstraint,
    create_engine,
    func,
    inspect,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, INT4RANGE, JSONB, Range, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class State(enum.Enum):
    draft = "draft"
    sent = "sent"


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)
    joined: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    tags: Mapped[list[str]] = mapped_column(ARRAY(String))
    more: Mapped[dict] = mapped_column(JSONB)
    letters: Mapped[list["Letter"]] = relationship(
        back_populates="author", cascade="all, delete-orphan", order_by="Letter.id"
    )


class Letter(Base):
    __tablename__ = "letters"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id", ondelete="CASCADE"))
    state: Mapped[State] = mapped_column(Enum(State, name="letter_state"))
    price: Mapped[decimal.Decimal] = mapped_column(Numeric(10, 2))
    pages: Mapped[Range[int]] = mapped_column(INT4RANGE)
    author: Mapped[Author] = relationship(back_populates="letters")
    __table_args__ = (
        CheckConstraint("price >= 0", name="price_is_not_negative"),
        UniqueConstraint("author_id", "price", name="one_price"),
        Index("letters_by_price", "price", postgresql_where="price > 1"),
    )


def reflected(engine):
    found = MetaData()
    found.reflect(engine)
    for table in found.sorted_tables:
        for column in table.columns:
            print(
                table.name,
                column.name,
                column.type,
                column.nullable,
                column.server_default is not None,
            )
        for constraint in sorted(table.constraints, key=lambda c: str(c.name)):
            print(table.name, type(constraint).__name__, constraint.name)
    asked = inspect(engine)
    print(asked.get_indexes("letters"))
    print(asked.get_foreign_keys("letters"))
    print(asked.get_check_constraints("letters"))
    print(asked.get_unique_constraints("letters"))
    print(asked.get_enums())


def main():
    engine = create_engine("postgresql+psycopg://")
    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)  # looks, and finds all there
    reflected(engine)
    with Session(engine) as session:
        for n in range(1, 4):
            author = Author(email=f"{n}@example.com", tags=["a", "b"][:n], more={"n": n})
            author.letters = [
                Letter(state=State.draft, price=decimal.Decimal(m) / 2, pages=Range(n, n + m))
                for m in range(1, 4)
            ]
            session.add(author)
        session.commit()
        print(
            [
                (a.id, a.email, a.tags, a.more, len(a.letters))
                for a in session.scalars(select(Author).order_by(Author.id))
            ]
        )
        query = (
            select(Author.email, func.count(Letter.id), func.sum(Letter.price))
            .join(Author.letters)
            .where(Letter.pages.contains(3))
            .group_by(Author.email)
            .order_by(Author.email)
        )
        print(session.execute(query).all())
        author = session.scalars(select(Author).where(Author.email == "2@example.com")).one()
        author.letters.pop()
        author.letters[0].state = State.sent
        session.commit()
        print([(x.id, x.state, x.price, x.pages) for x in author.letters])
        try:
            with session.begin_nested():
                session.add(Author(email="1@example.com", tags=[], more={}))
                session.flush()
        except IntegrityError as error:
            print(
                type(error.orig).__name__, error.orig.diag.constraint_name, error.orig.diag.sqlstate
            )
        put = insert(Author).values(email="1@example.com", tags=["x"], more={"again": True})
        put = put.on_conflict_do_update(index_elements=["email"], set_={"tags": put.excluded.tags})
        print(session.execute(put.returning(Author.id, Author.tags)).all())
        session.commit()
        session.delete(author)
        session.commit()
        print(session.scalar(select(func.count()).select_from(Letter)))
    Base.metadata.drop_all(engine)
    print(inspect(engine).get_table_names())


main()
