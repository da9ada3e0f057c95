r"""Classes of characters in patterns: \w, [[:alpha:]] and their like know all of Unicode, as in PostgreSQL.

RE2 knows ASCII by these names. Its classes by general category (\p{L}) are most of what PostgreSQL 15 takes
for a letter under a UTF-8 locale; the tables have the rest: vowel signs and other marks that are alphabetic,
digits of other scripts (which are letters to it, and no digits), letters in circles. A text of ASCII alone
needs none of it, and is matched by the short names, which are compiled a hundred times as fast.
"""

import re

from catalog.errors import FeatureNotSupportedError

_MARKS = """
345 5b0-5bd 5bf 5c1-5c2 5c4-5c5 5c7 610-61a 64b-657 659-65f 670 6d6-6dc 6e1-6e4 6e7-6e8 6ed 711
730-73f 7a6-7b0 816-817 81b-823 825-827 829-82c 8d4-8df 8e3-8e9 8f0-903 93a-93b 93e-94c 94e-94f
955-957 962-963 981-983 9be-9c4 9c7-9c8 9cb-9cc 9d7 9e2-9e3 a01-a03 a3e-a42 a47-a48 a4b-a4c a51
a70-a71 a75 a81-a83 abe-ac5 ac7-ac9 acb-acc ae2-ae3 afa-afc b01-b03 b3e-b44 b47-b48 b4b-b4c b56-b57
b62-b63 b82 bbe-bc2 bc6-bc8 bca-bcc bd7 c00-c03 c3e-c44 c46-c48 c4a-c4c c55-c56 c62-c63 c81-c83 cbe-
cc4 cc6-cc8 cca-ccc cd5-cd6 ce2-ce3 d00-d03 d3e-d44 d46-d48 d4a-d4c d57 d62-d63 d81-d83 dcf-dd4 dd6
dd8-ddf df2-df3 e31 e34-e3a e4d eb1 eb4-eb9 ebb-ebc ecd f71-f81 f8d-f97 f99-fbc 102b-1036 1038
103b-103e 1056-1059 105e-1060 1062-1064 1067-106d 1071-1074 1082-108d 108f 109a-109d 1712-1713
1732-1733 1752-1753 1772-1773 17b6-17c8 1885-1886 18a9 1920-192b 1930-1938 1a17-1a1b 1a55-1a5e
1a61-1a74 1abf-1ac0 1acc-1ace 1b00-1b04 1b35-1b43 1b80-1b82 1ba1-1ba9 1bac-1bad 1be7-1bf1 1c24-1c36
1de7-1df4 24b6-24e9 2de0-2dff a674-a67b a69e-a69f a802 a80b a823-a827 a880-a881 a8b4-a8c3 a8c5 a8ff
a926-a92a a947-a952 a980-a983 a9b4-a9bf a9e5 aa29-aa36 aa43 aa4c-aa4d aa7b-aa7d aab0 aab2-aab4
aab7-aab8 aabe aaeb-aaef aaf5 abe3-abea fb1e 10376-1037a 10a01-10a03 10a05-10a06 10a0c-10a0f
10d24-10d27 10eab-10eac 11000-11002 11038-11045 11073-11074 11082 110b0-110b8 110c2 11100-11102
11127-11132 11145-11146 11180-11182 111b3-111bf 111ce-111cf 1122c-11234 11237 1123e 112df-112e8
11300-11303 1133e-11344 11347-11348 1134b-1134c 11357 11362-11363 11435-11441 11443-11445
114b0-114c1 115af-115b5 115b8-115be 115dc-115dd 11630-1163e 11640 116ab-116b5 1171d-1172a
1182c-11838 11930-11935 11937-11938 1193b-1193c 11940 11942 119d1-119d7 119da-119df 119e4
11a01-11a0a 11a35-11a39 11a3b-11a3e 11a51-11a5b 11a8a-11a97 11c2f-11c36 11c38-11c3e 11c92-11ca7
11ca9-11cb6 11d31-11d36 11d3a 11d3c-11d3d 11d3f-11d41 11d43 11d47 11d8a-11d8e 11d90-11d91
11d93-11d96 11ef3-11ef6 16f4f 16f51-16f87 16f8f-16f92 16ff0-16ff1 1bc9e 1e000-1e006 1e008-1e018
1e01b-1e021 1e023-1e024 1e026-1e02a 1e947 1f130-1f149 1f150-1f169 1f170-1f189
"""

_DIGITS = """
660-669 6f0-6f9 7c0-7c9 966-96f 9e6-9ef a66-a6f ae6-aef b66-b6f be6-bef c66-c6f ce6-cef d66-d6f
de6-def e50-e59 ed0-ed9 f20-f29 1040-1049 1090-1099 17e0-17e9 1810-1819 1946-194f 19d0-19d9
1a80-1a89 1a90-1a99 1b50-1b59 1bb0-1bb9 1c40-1c49 1c50-1c59 a620-a629 a8d0-a8d9 a900-a909 a9d0-a9d9
a9f0-a9f9 aa50-aa59 abf0-abf9 ff10-ff19 104a0-104a9 10d30-10d39 11066-1106f 110f0-110f9 11136-1113f
111d0-111d9 112f0-112f9 11450-11459 114d0-114d9 11650-11659 116c0-116c9 11730-11739 118e0-118e9
11950-11959 11c50-11c59 11d50-11d59 11da0-11da9 16a60-16a69 16ac0-16ac9 16b50-16b59 1d7ce-1d7ff
1e140-1e149 1e2f0-1e2f9 1e950-1e959 1fbf0-1fbf9
"""

_UPPER = "2160-216f 24b6-24cf 1f130-1f149 1f150-1f169 1f170-1f189"

_LOWER = """
aa ba 1c5 1c8 1cb 1f2 2b0-2b8 2c0-2c1 2e0-2e4 345 37a 1d2c-1d6a 1d78 1d9b-1dbf 2071 207f 2090-209c
2170-217f 24d0-24e9 2c7c-2c7d a69c-a69d a770 a7f8-a7f9 ab5c-ab5f 10780 10783-10785 10787-107b0
107b2-107ba
"""


def _ranges(table: str) -> str:
    ends = [one.partition("-") for one in table.split()]
    return "".join([rf"\x{{{a}}}-\x{{{b}}}" if b else rf"\x{{{a}}}" for a, _, b in ends])


_SPACE = r"\t-\r \x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}"
_ALNUM = r"\p{L}\p{Nl}\p{Nd}" + _ranges(_MARKS)
_BODIES = {
    "w": _ALNUM + "_",
    "s": _SPACE,
    "alnum": _ALNUM,
    "alpha": r"\p{L}\p{Nl}" + _ranges(_MARKS) + _ranges(_DIGITS),
    "space": _SPACE,
    "upper": r"\p{Lu}\p{Lt}" + _ranges(_UPPER),
    "lower": r"\p{Ll}" + _ranges(_LOWER),
}
"""What stands for a class inside brackets, by its name or the letter of its escape."""

_REFUSED = ("punct", "print", "graph")
"""Classes of which RE2 has nothing near."""

_ASCII = {"s": r"\s\x0b"}  # To RE2 a vertical tab is no space.

_TOKEN = re.compile(r"\\.|\[:\w+:\]|\[\^?\]?|\]|[^\\\[\]]+", re.DOTALL)


_CLASS = re.compile(r"\\[wsWS]|\[:\w+:\]")
_BOUND = re.compile(r"\{(?:\d+,)?(\d{1,3})\}")
_COMPILED_US = 600.0


def compile_us(text: str, pattern: str) -> float:
    """About how long it takes to compile the classes of a pattern for a text, in microseconds."""
    if text.isascii() or not (classes := len(_CLASS.findall(pattern))):
        return 0.0
    return _COMPILED_US * classes * max([1, *map(int, _BOUND.findall(pattern))])


def with_classes(pattern: str, *, wide: bool) -> str:
    """A pattern as RE2 reads it, its classes PostgreSQL's: those of all of Unicode, or only in ASCII.

    Raises 0A000 for a class that is not known beyond ASCII.
    """
    bodies = _BODIES if wide else _ASCII
    if not wide and "\\s" not in pattern.lower():
        return pattern
    parts: list[str] = []
    inside = False
    for found in _TOKEN.finditer(pattern):
        token = found[0]
        if token[0] == "\\" and (body := bodies.get(token[1:].lower())) is not None:
            if inside:
                token = body if token[1].islower() else token
            else:
                token = f"[{body}]" if token[1].islower() else f"[^{body}]"
        elif token.startswith("[:"):
            if inside and wide and token[2:-2] in _REFUSED:
                raise FeatureNotSupportedError(
                    f"character class {token} over text beyond ASCII is not supported"
                )
            token = bodies.get(token[2:-2], token) if inside else token
        elif token[0] == "[" and not inside:
            inside = True
        elif token[-1] == "]":
            inside = False
        parts.append(token)
    return "".join(parts)
