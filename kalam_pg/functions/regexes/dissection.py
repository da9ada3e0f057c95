"""What each group of a match takes: a match is taken apart along its pattern's tree.

Each node is known to take its text before that is taken apart, by its automaton. So only back-references can
make a way fail; the next one is tried then: earlier parts first as they prefer, then shorter (or longer).
"""

from kalam_pg.functions.regexes.automaton import Subject
from kalam_pg.functions.regexes.tree import Node, Shape, Traits
from kalam_pg.functions.strings import lower

Span = tuple[int, int]
NONE: Span = (-1, -1)
"""Of a group that took no part."""


class Dissection:
    """One match on its way to the spans of its groups."""

    def __init__(self, subject: Subject, groups: int) -> None:
        self._subject = subject
        self._spans = [NONE] * groups

    def spans(self, tree: Node, begin: int, end: int) -> list[Span] | None:
        """Each group's, or None: back-references cannot be satisfied so."""
        return self._spans if self._take(tree, begin, end) else None

    def _take(self, node: Node, begin: int, end: int) -> bool:
        """Take a node's text apart. Where that fails, its groups are left without spans."""
        self._subject.worked(8)
        done = self._taken(node, begin, end)
        if done and node.group:
            self._spans[node.group - 1] = (begin, end)
        return done

    def _taken(self, node: Node, begin: int, end: int) -> bool:
        match node.shape:
            case Shape.LEAF:
                return True
            case Shape.REFERENCE:
                return self._repeats(node, begin, end)
            case Shape.PAIR:
                return self._take_pair(node, begin, end)
            case Shape.CHOICE:
                return any(
                    self._ends_at(child, begin, end) and self._take(child, begin, end)
                    for child in node.children
                )
            case Shape.TIMES:
                if node.children[0].traits & Traits.SHORTER:
                    return self._take_times_short(node, begin, end)
                return self._take_times(node, begin, end)
            case Shape.WRAPPER:
                return self._take(node.children[0], begin, end)

    def _clear(self, node: Node) -> None:
        for group in node.groups:
            self._spans[group - 1] = NONE

    # ------------------------------------------------------------------ ends

    def _longest(self, node: Node, begin: int, limit: int) -> int:
        if node.shape is Shape.REFERENCE and self._spans[node.refers - 1] != NONE:
            return self._referred(node, begin, begin, limit, shortest=False)
        return node.automaton.longest(self._subject, begin, limit)

    def _shortest(self, node: Node, begin: int, least: int, limit: int) -> int:
        if node.shape is Shape.REFERENCE and self._spans[node.refers - 1] != NONE:
            return self._referred(node, begin, least, limit, shortest=True)
        return node.automaton.shortest(self._subject, begin, least, limit)

    def _ends_at(self, node: Node, begin: int, end: int) -> bool:
        return self._longest(node, begin, end) == end

    def _referred(self, node: Node, begin: int, least: int, limit: int, *, shortest: bool) -> int:
        """As far as the text of a group is repeated from a place on."""
        start, stop = self._spans[node.refers - 1]
        length = stop - start
        if not length:
            return begin if least <= begin else -1
        count = 0
        end = begin
        best = -1
        while True:
            if count >= node.least and end >= least:
                best = end
                if shortest:
                    return best
            if count >= node.most or end + length > limit or not self._same(start, end, length):
                return best
            count += 1
            end += length

    def _same(self, first: int, second: int, length: int) -> bool:
        text = self._subject.text
        self._subject.worked(length)
        one, other = text[first : first + length], text[second : second + length]
        return one == other or (self._subject.any_case and lower(one) == lower(other))

    def _repeats(self, node: Node, begin: int, end: int) -> bool:
        """Whether a text is the group's, as often as it may be."""
        span = self._spans[node.refers - 1]
        if span == NONE:
            return False
        length = span[1] - span[0]
        if not length:
            return begin == end
        if begin == end:
            return node.least == 0
        count, rest = divmod(end - begin, length)
        if rest or not node.least <= count <= node.most:
            return False
        return all(self._same(span[0], at, length) for at in range(begin, end, length))

    # ------------------------------------------------------------------ one after the other

    def _take_pair(self, node: Node, begin: int, end: int) -> bool:
        left, right = node.children
        shorter = bool(left.traits & Traits.SHORTER)
        middle = (
            self._shortest(left, begin, begin, end) if shorter else self._longest(left, begin, end)
        )
        while middle >= 0:
            if self._ends_at(right, middle, end) and self._take(left, begin, middle):
                if self._take(right, middle, end):
                    return True
                self._clear(left)
            if middle == (end if shorter else begin):
                return False
            if shorter:
                middle = self._shortest(left, begin, middle + 1, end)
            else:
                middle = self._longest(left, begin, middle - 1)
        return False

    def _verified(self, node: Node, ends: list[int], count: int, verified: int) -> int:
        """How many of the first `count` texts can be taken apart, of which so many are known to."""
        child = node.children[0]
        for at in range(verified, count):
            self._clear(child)
            if not self._take(child, ends[at], ends[at + 1]):
                return at
        return count

    def _take_times(self, node: Node, begin: int, end: int) -> bool:
        """Each time as long as may be; an empty text only where there would be too few."""
        child = node.children[0]
        least = max(node.least, 1)
        most = max(min(end - begin, node.most), least)
        ends = [begin]
        verified = 0
        limit = end
        while ends:
            at = self._longest(child, ends[-1], limit)
            count = len(ends)  # The number of the text that ends at `at`.
            verified = min(verified, count - 1)
            back = True
            if at >= 0:
                ends.append(at)
                if at != end:
                    empty = at == ends[-2]
                    if count >= most:
                        ends.pop()
                    elif not empty or (count < least and least - count >= end - at):
                        limit = end
                        back = False
                elif count >= least:
                    verified = self._verified(node, ends, count, verified)
                    if verified == count:
                        return True
                    del ends[verified + 2 :]
            if back:
                limit = self._shortened(ends, end, least)
        return node.least == 0 and begin == end

    @staticmethod
    def _shortened(ends: list[int], end: int, least: int) -> int:
        """Give up the last text that may be shorter, and all after it. Returns where it must end now."""
        while len(ends) > 1:
            last = ends.pop()
            count, before = len(ends), ends[-1]
            if last > before and (
                last - 1 > before or (count < least and least - count >= end - before)
            ):
                return last - 1
        ends.clear()
        return -1

    def _take_times_short(self, node: Node, begin: int, end: int) -> bool:
        """Each time as short as may be; an empty text only where there would be too few."""
        child = node.children[0]
        if node.least == 0 and begin == end:
            return True
        least = max(node.least, 1)
        most = max(min(end - begin, node.most), least)
        ends = [begin]
        verified = 0
        limit = begin
        while ends:
            count = len(ends)
            if limit == ends[-1] != end and (count >= least or least - count < end - limit):
                limit += 1
            if count >= most:
                limit = end
            at = self._shortest(child, ends[-1], limit, end)
            verified = min(verified, count - 1)
            back = True
            if at >= 0:
                ends.append(at)
                if at != end:
                    if count >= most:
                        ends.pop()
                    else:
                        limit = at
                        back = False
                elif count >= least:
                    verified = self._verified(node, ends, count, verified)
                    if verified == count:
                        return True
                    del ends[verified + 2 :]
            if back:
                limit = self._lengthened(ends, end)
        return False

    @staticmethod
    def _lengthened(ends: list[int], end: int) -> int:
        """Give up the last text that may be longer, and all after it. Returns where it must end at least."""
        while len(ends) > 1:
            last = ends.pop()
            if last < end:
                return last + 1
        ends.clear()
        return -1
