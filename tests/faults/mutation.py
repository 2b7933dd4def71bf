"""Damaged copies of bytes and of JSON values, chosen by a generator of random numbers."""

import json
from random import Random
from typing import Any

TOKENS = (
    *(b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"{", b"}", b"[", b"]", b'"', b"null", b"NaN"),
    *(b"-1", b"0", b"9" * 30, b"9" * 5_000, b"1e999", b"\\ud800", b"true", b"\n", b"\r\n", b"\t"),
    *(b"../", b"=", b"%s", b"\x1b[31m", b"[" * 2_000, b'{"a":' * 2_000, b"\xf0\x9f\x92\xa9"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -0.5, 1e-320),
    *(float("nan"), float("inf"), "", " ", "x", "null", "\0", "\ud800", "\x1b[31m", "a" * 10_000),
    *("../../etc/passwd", "/", "2026-13-45", "1" * 40, "é", "=1+1", "<script>", [], {}, [[]]),
    *({"": None}, [None], {"a": {"b": {}}}, ["x"] * 100, "9999-12-31T23:59:59+00:00"),
)


def mutated(random: Random, content: bytes) -> bytes:
    """A copy with a few bytes changed, dropped, doubled, inserted, swapped or cut off."""
    for _ in range(random.choice((1, 1, 1, 2, 5, 20))):
        place = random.randrange(len(content) + 1)
        length = min(random.choice((1, 1, 2, 4, 8, 64, 1_000)), len(content) - place)
        part = content[place : place + length]
        kind = random.randrange(8)
        if kind == 0:
            content = content[:place]
        elif kind == 1 and content:
            place = min(place, len(content) - 1)
            flipped = bytes([content[place] ^ (1 << random.randrange(8))])
            content = content[:place] + flipped + content[place + 1 :]
        else:
            other = {
                2: b"",
                3: part * 2,
                4: random.randbytes(len(part)),
                5: random.choice(TOKENS),
                6: part[::-1],
                7: b"\0" * len(part),
            }.get(kind, b"")
            content = content[:place] + other + content[place + length :]
    return content


def mutated_value(random: Random, value: Any) -> Any:
    """A copy of a JSON value with one part replaced, dropped, renamed or added."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        name, kind = random.choice(list(value)), random.random()
        if kind < 0.1:
            return {key: item for key, item in value.items() if key != name}
        if kind < 0.15:
            return {**value, random.choice(("", "x", "version", "\ud800", name + "2")): 1}
        return {**value, name: mutated_value(random, value[name])}
    if isinstance(value, list | tuple) and value and random.random() < 0.85:
        place = random.randrange(len(value))
        changed = mutated_value(random, value[place])
        return [*value[:place], *([changed] * random.choice((0, 1, 1, 1, 2))), *value[place + 1 :]]
    return random.choice(VALUES)


def mutated_json(random: Random, content: bytes) -> bytes:
    """A damaged copy of a JSON file: its bytes, or a value in it that is of another kind."""
    if random.random() < 0.4:
        return mutated(random, content)
    value = json.loads(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        value = mutated_value(random, value)
    return json.dumps(value).encode("utf-8", "surrogatepass")
