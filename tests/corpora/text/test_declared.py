import pytest

from corpora.text.declared import declared_encoding
from corpora.text.decoding import decode

DECLARATIONS = [
    ("# -*- coding: {} -*-\n", "cp1251", "windows-1251"),
    ("#!/usr/bin/python\r\n# vim: set fileencoding={} :\r\n", "cp1251", "windows-1251"),
    ("# coding={}\n", "ISO-8859-15", "iso-8859-15"),
    ("# encoding: {}\n", "Shift_JIS", "cp932"),
    ("/* -*- mode: c; coding: {} -*- */\n", "koi8-r-unix", "koi8-r"),
    ("<?xml version='1.0' encoding='{}'?>\n", "windows-1251", "windows-1251"),
    ('<html><META http-equiv="Content-Type" content="text/html; charset={}">', "big5", "big5hkscs"),
    ("<!doctype html>\n<meta charset={}>\n", "euc-kr", "cp949"),
    ('@charset "{}";\n', "gb2312", "gb18030"),
    ('msgid ""\n"Content-Type: text/plain; charset={}\\n"\n', "EUC-JP", "euc-jp"),
    ("x\n" * 2000 + "// vim: ts=4 fenc={}\n", "koi8-u", "koi8-u"),
    ("x\n" * 2000 + ";; Local Variables:\n;; coding: {}\n;; End:\n", "latin-1", "windows-1252"),
]


@pytest.mark.parametrize(("form", "name", "encoding"), DECLARATIONS)
def test_every_form_of_declaration_is_read(form: str, name: str, encoding: str):
    assert declared_encoding(form.replace("{}", name).encode()) == encoding


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1\n# coding: nonsense\n",
        "# coding: unicode_escape\n",
        "# coding: utf-16\n",
        "# coding: rot13\n",
        "# coding: cp037\n",
        "coding: cp1251\n",
        "a\nb\n# coding: cp1251\n",
    ],
)
def test_what_is_no_declaration_or_cannot_be_true_is_ignored(text: str):
    assert declared_encoding(text.encode()) is None


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("cp1251", "\u0414\u0430"),
        ("shift_jis", "\u8868\u793a"),
        ("iso-8859-15", "\u20ac"),
        ("koi8-r", "\u0414\u0430"),
        ("euc-jp", "\u8868\u793a"),
    ],
)
def test_one_word_is_read_as_declared_where_a_guess_would_fail(encoding: str, word: str):
    text = f"# -*- coding: {encoding} -*-\ns = '{word}'\n"
    assert decode(text.encode(encoding)).text == text


def test_a_declaration_that_does_not_fit_is_ignored():
    text = "# coding: cp1255\n# \u00c9l\u00e8ve d\u00e9j\u00e0 pr\u00eat, fran\u00e7ais \u00d9\n"
    assert decode(text.encode("cp1252")).text == text
