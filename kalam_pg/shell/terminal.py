"""The line editor: statements of one or more lines, with history and completion, by prompt_toolkit."""

import re
from collections.abc import Callable
from typing import Any, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.shortcuts import CompleteStyle

from kalam_pg.shell.completion import Names, candidates
from kalam_pg.shell.history import History
from kalam_pg.shell.scanner import scan

_WORD_BACKWARDS: Final = re.compile(r"^[\w.]+\\?|^\\")
"""prompt_toolkit looks for the word before the cursor in the text turned round."""


class Terminal:
    """Reads what the user types. names: asked for only when Tab is pressed."""

    def __init__(self, history: History, names: Callable[[], Names]) -> None:
        self._history = history
        self._names = names
        self._prompt: PromptSession[str] = PromptSession(
            history=InMemoryHistory(history.entries),
            completer=WordCompleter(self._candidates, ignore_case=True, pattern=_WORD_BACKWARDS),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            multiline=True,
            key_bindings=self._keys(),
            enable_open_in_editor=True,
        )

    def read(self, prompt: str) -> str:
        """One entry: a command, or text that ends with a whole statement.

        Raises:
            EOFError: Ctrl-D.
            KeyboardInterrupt: Ctrl-C.
        """
        entry: str = self._prompt.prompt(prompt, prompt_continuation=self._continuation)
        self._history.add(entry)
        return entry

    def close(self) -> None:
        """Keep what was typed."""
        self._history.save()

    def _candidates(self) -> list[str]:
        return candidates(self._prompt.default_buffer.document.text_before_cursor, self._names())

    def _continuation(self, width: int, _line: int, _wrapped: int) -> str:
        within = scan(self._prompt.default_buffer.text).within or "-"
        return f"{within}> ".rjust(width)

    @staticmethod
    def _keys() -> KeyBindings:
        keys = KeyBindings()

        def enter(event: Any) -> None:  # noqa: ANN401 - prompt_toolkit's KeyPressEvent
            buffer = event.current_buffer
            if is_whole(buffer.text):
                buffer.validate_and_handle()
            else:
                buffer.insert_text("\n")

        keys.add("enter")(enter)
        return keys


def is_whole(text: str) -> bool:
    """Whether Enter sends it: nothing, a command, or statements up to their last semicolon."""
    return text.lstrip().startswith("\\") or not scan(text).rest
