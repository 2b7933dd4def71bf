"""The encoding that a text declares, in one of the forms that editors and parsers read.

- Python (PEP 263), Ruby and Emacs: `coding: NAME` or `coding=NAME` in one of the first two lines
- Emacs: `coding: NAME` in the "Local Variables" at the end; vim: `fileencoding=NAME` in a modeline
- XML: `<?xml ... encoding="NAME"`; CSS: `@charset "NAME"`
- HTML: `<meta ... charset=NAME`; gettext and mail: `Content-Type: ...; charset=NAME`
"""

import codecs
import re
import string

HEAD_BYTES = 1024
"""HTML's limit for a declaration. The other forms need less."""
TAIL_BYTES = 3000
"""Emacs looks for local variables this far from the end."""
NAME = rb"([A-Za-z][\w.:-]{1,39})"
FIRST_LINES = re.compile(rb"(?:\A[ \t\f]*#|-\*-)[^\n]{0,300}?coding[:=][ \t]*" + NAME)
HEAD_FORMS = (
    re.compile(rb"\A\s{0,9}<\?xml\b[^>]{0,200}?\bencoding\s{0,9}=\s{0,9}[\"']" + NAME),
    re.compile(rb"\A@charset \"" + NAME + rb"\""),
    re.compile(rb"<meta\b[^>]{0,300}?\bcharset\s{0,9}=\s{0,9}[\"']?" + NAME, re.IGNORECASE),
    re.compile(rb"\bcontent-type:[^\n]{0,100}?\bcharset=[\"']?" + NAME, re.IGNORECASE),
)
VIM = re.compile(rb"(?:^|[ \t])(?:vim?|ex):[^\n]{0,300}?\b(?:fileencoding|fenc)=" + NAME)
EMACS = re.compile(rb"Local Variables:.{0,1000}?\bcoding:[ \t]*" + NAME, re.DOTALL)
MODELINES = 5
"""Lines at either end in which vim looks for its own."""
LINE_ENDS = re.compile(r"-(?:unix|dos|mac)\Z")
EMACS_NAMES = {
    "chinese-iso-8bit": "gb18030",
    "cyrillic-koi8": "koi8-r",
    "euc-japan": "euc-jp",
    "euc-korea": "cp949",
    "iso-latin-1": "latin-1",
    "iso-latin-9": "iso-8859-15",
    "japanese-shift-jis": "cp932",
    "sjis": "cp932",
    "x-euc-jp": "euc-jp",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
}
"""Names that Python lacks, of Emacs and of old browsers."""
WIDER = {
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859-1": "cp1252",
    "shift_jis": "cp932",
    "utf-8-sig": "utf-8",
}
"""Encodings that contain the declared one, whose name is often used for them."""
NO_TEXT = frozenset({"ascii", "idna", "punycode", "raw-unicode-escape", "unicode-escape"})
PLAIN = string.ascii_letters + string.digits + " \n#:=\"'<>"


def declared_encoding(content: bytes) -> str | None:
    """Python's name of the encoding that `content` declares.

    None without a declaration, and for one that cannot be true: unknown to Python, or not a
    superset of ASCII, in which the declaration itself could not be read.
    """
    head = content[:HEAD_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = (FIRST_LINES.search(line) for line in head.split(b"\n")[:2])
    forms = (form.search(head) for form in HEAD_FORMS)
    found = next((one for one in (*lines, *forms) if one), None) or _in_modelines(content, head)
    return None if found is None else _python_name(found[1].decode("ascii"))


def _in_modelines(content: bytes, head: bytes) -> re.Match[bytes] | None:
    tail = content[-TAIL_BYTES:].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    ends = (*head.split(b"\n")[:MODELINES], *tail.rstrip(b"\n").split(b"\n")[-MODELINES:])
    vim = (VIM.search(line) for line in ends)
    return next((line for line in vim if line), None) or EMACS.search(tail)


def _python_name(declared: str) -> str | None:
    name = LINE_ENDS.sub("", declared.lower())
    try:
        name = codecs.lookup(EMACS_NAMES.get(name, name)).name
        if name in NO_TEXT or PLAIN.encode().decode(name) != PLAIN:
            return None
    except (LookupError, UnicodeDecodeError):
        return None
    name = WIDER.get(name, name).replace("cp125", "windows-125")
    return name.replace("iso8859", "iso-8859").replace("_", "-")
