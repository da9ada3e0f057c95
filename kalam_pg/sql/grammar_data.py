"""The grammar of INSERT, UPDATE, DELETE and MERGE, and of every statement that the binder reads."""

from sqlglot import exp

from kalam_pg.sql.grammar_query import QueryGrammar
from kalam_pg.sql.positions import mark


class Grammar(QueryGrammar):
    """The whole grammar of queries and data changes."""

    def query_statement(self) -> tuple[str, exp.Expr]:
        """A statement for the binder, with its kind: select | insert | update | delete | merge."""
        if self.at("insert", "update", "delete", "merge") or self._change_behind_with():
            node = self.data_change()
            return node.key, node
        return "select", self.query()

    def data_change(self) -> exp.Expr:
        """INSERT, UPDATE, DELETE or MERGE, with WITH before it perhaps."""
        with_ = self.with_clause()
        if self.at("insert"):
            node: exp.Expr = self._insert()
        elif self.at("update"):
            node = self._update()
        elif self.at("delete"):
            node = self._delete()
        elif self.at("merge"):
            node = self._merge()
        else:
            self.fail()
        if with_ is not None:
            node.set("with_", with_)
        return node

    def _insert(self) -> exp.Insert:
        token = self.expect("insert", "into")
        table = self.relation()
        if self.accept("as"):
            table.set("alias", exp.TableAlias(this=self.identifier()))
        target: exp.Expr = table
        if self.at("(") and not self.query_ahead():
            columns = self.parenthesised(self._insert_column)
            target = mark(exp.Schema(this=table, expressions=columns), table.meta["start"])
        insert = exp.Insert(this=target)
        self._overriding(insert)
        if self.accept("default", "values"):
            insert.set("default", True)
        else:
            insert.set("expression", self.query())
        if self.at_words("on", "conflict"):
            insert.set("conflict", self._on_conflict())
        self._returning(insert)
        return mark(insert, token.start)

    def _overriding(self, insert: exp.Insert) -> None:
        if self.accept("overriding"):
            if not self.at("system", "user"):
                self.fail()
            insert.set("overriding", self.advance().key.upper())
            self.expect("value")

    def _insert_column(self) -> exp.Expr:
        target = self._target_column()
        return target.args["this"] if type(target) is exp.Column else target

    def _on_conflict(self) -> exp.OnConflict:
        start = self.token.start
        self.expect("on", "conflict")
        conflict = exp.OnConflict()
        if self.at("("):
            conflict.set("conflict_keys", self.parenthesised(self._conflict_key))
            predicate = self.where()
            if predicate is not None:
                conflict.set("index_predicate", predicate)
        elif self.accept("on", "constraint"):
            conflict.set("constraint", self.identifier())
        self.expect("do")
        if self.accept("nothing"):
            conflict.set("action", exp.Var(this="DO NOTHING"))
        else:
            self.expect("update", "set")
            conflict.set("action", exp.Var(this="DO UPDATE"))
            conflict.set("expressions", self.many(self._assignment))
            where = self.where()
            if where is not None:
                conflict.set("where", where)
        return mark(conflict, start)

    def _conflict_key(self) -> exp.Expr:
        key = self.expression()
        if self.is_name() and not self.at("asc", "desc", "nulls"):
            self.unsupported("an operator class in ON CONFLICT")
        return key

    def _assignment(self) -> exp.EQ:
        start = self.token.start
        target: exp.Expr
        if self.at("("):
            columns = self.parenthesised(self._target_column)
            target = mark(exp.Tuple(expressions=columns), start)
        else:
            target = self._target_column()
        equals = self.expect("=")
        value = self._row_value() if isinstance(target, exp.Tuple) else self.value()
        return mark(exp.EQ(this=target, expression=value), equals.start)

    def _row_value(self) -> exp.Expr:
        """What several columns are set to: a query, a row (DEFAULT allowed), or an expression."""
        token = self.token
        if self.query_ahead():
            return self.subquery()
        row = self.accept("row")
        items = self.parenthesised(self.value)
        node = mark(exp.Tuple(expressions=items), token.start)
        if row:
            node.meta["row"] = True
        return node

    def _target_column(self) -> exp.Expr:
        name = self.identifier()
        return self._indirection(mark(exp.Column(this=name), name.meta["start"]))

    def _changed_table(self, *, before: str) -> exp.Table:
        """relation_expr_opt_alias; the word `before` begins what follows."""
        table = self.relation()
        named = self.accept("as")
        if named or (self.is_name() and not self.at(before)):
            table.set("alias", exp.TableAlias(this=self.identifier()))
        return table

    def _update(self) -> exp.Update:
        token = self.expect("update")
        update = exp.Update(this=self._changed_table(before="set"))
        self.expect("set")
        update.set("expressions", self.many(self._assignment))
        if self.accept("from"):
            self.from_list(update)
        self._condition(update)
        self._returning(update)
        return mark(update, token.start)

    def _delete(self) -> exp.Delete:
        token = self.expect("delete", "from")
        delete = exp.Delete(this=self._changed_table(before="using"))
        if self.accept("using"):
            self.from_list(delete)
        self._condition(delete)
        self._returning(delete)
        return mark(delete, token.start)

    def _merge(self) -> exp.Merge:
        token = self.expect("merge", "into")
        merge = exp.Merge(this=self._changed_table(before="using"))
        self.expect("using")
        source = self.table_ref()
        merge.set("using", source.item)
        merge.set("joins", source.joins)
        self.expect("on")
        merge.set("on", self.expression())
        whens = [self._when()]
        while self.at("when"):
            whens.append(self._when())
        merge.set("whens", whens)
        return mark(merge, token.start)

    def _when(self) -> exp.When:
        token = self.expect("when")
        matched = not self.accept("not")
        self.expect("matched")
        when = exp.When(matched=matched)
        if self.accept("and"):
            when.set("condition", self.expression())
        self.expect("then")
        at = self.token
        if self.accept("do"):
            self.expect("nothing")
            when.set("then", mark(exp.Var(this="DO NOTHING"), at.start))
        elif not matched:
            when.set("then", mark(self._merge_insert(), at.start))
        elif self.accept("delete"):
            when.set("then", mark(exp.Delete(), at.start))
        else:
            self.expect("update", "set")
            when.set("then", mark(exp.Update(expressions=self.many(self._assignment)), at.start))
        return mark(when, token.start)

    def _merge_insert(self) -> exp.Insert:
        """INSERT without a table: [(columns)] [OVERRIDING …] VALUES (…) | DEFAULT VALUES."""
        self.expect("insert")
        insert = exp.Insert()
        if self.accept("default", "values"):
            return insert
        if self.at("("):
            insert.set("this", exp.Schema(expressions=self.parenthesised(self._insert_column)))
        self._overriding(insert)
        start = self.expect("values").start
        at = self.token.start
        row = mark(exp.Tuple(expressions=self.parenthesised(self.value)), at)
        insert.set("expression", mark(exp.Values(expressions=[row]), start))
        return insert

    def _condition(self, statement: exp.Expr) -> None:
        if self.at_words("where", "current", "of"):
            self.expect("where", "current", "of")
            statement.set("current_of", self.identifier())
            return
        where = self.where()
        if where is not None:
            statement.set("where", where)

    def _returning(self, statement: exp.Expr) -> None:
        token = self.token
        if self.accept("returning"):
            returning = exp.Returning(expressions=self.targets())
            statement.set("returning", mark(returning, token.start))
