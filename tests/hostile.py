"""Strings that break terminals, Markdown, HTML, YAML and charts, as tests pass them through."""

TERMINAL = (
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example/\x1b\\link",
    "\x9b31mC1",
    "\x9d0;C1 title\x9c",
    "over\rwrite",
    "back\b\bspace",
    "nul\x00byte",
    "abc\u202edcba",
    "\u2066isolate\u2069",
    "zero\u200bwidth\ufeff",
    "lone\udcffsurrogate",
)
MARKUP = (
    "[red]markup[/red]",
    "[link=file:///etc/passwd]here[/link]",
    "[/]",
    "trailing\\",
    "a:warning:b",
)
PAGES = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "![image](http://evil.example/x.png)",
    "[link](javascript:alert(1))",
    "a | b || c",
    "`code` ``` ~~~",
    "*bold* __under__ ~~gone~~ # head",
    "line\nbreak\n---\n# heading",
    "-->",
    "{{ 7 * 7 }} {% raw %}",
    "$\\frac{1}{$ and $$",
    "=cmd|'/c calc'!A1",
    "key: value # comment",
    "'quotes\" &amp; &",
)
ALL = (*TERMINAL, *MARKUP, *PAGES)
RAW = "".join(map(chr, (*range(9), *range(11, 32), *range(127, 160)))) + "\u202e\u2066\u2069"
"""Characters that no terminal may be given."""
