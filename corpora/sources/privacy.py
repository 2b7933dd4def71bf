"""What keeps people out of a corpus: pseudonyms for authors, masks for addresses and numbers.

A pseudonym says which comments share an author within one dataset, and nothing across datasets.
Masking is a net with holes: it takes e-mail addresses and valid telephone numbers, not names.
"""

import hashlib
import re
import secrets
from pathlib import Path

from corpora.sources.whole_file import write_whole

SALT = "salt"
SALT_BYTES = 32
EMAIL_MASK = "[e-mail]"
PHONE_MASK = "[phone]"
# The look-behind lets a match begin only where a word does: linear on a long run of letters.
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
SEVEN_DIGITS = re.compile(r"(?:\d[\s().+/-]{0,4}){7}")


def load_salt(directory: Path) -> bytes:
    """The salt of the dataset in `directory`, readable by its owner only; made if missing."""
    path = directory / SALT
    if not path.exists():
        write_whole(path, secrets.token_bytes(SALT_BYTES), mode=0o600)
    return path.read_bytes()


def pseudonym(salt: bytes, name: str) -> str:
    """A name as 16 hexadecimal digits: keyed BLAKE2b, so that names cannot be tried out."""
    return hashlib.blake2b(name.encode(), key=salt, digest_size=8).hexdigest()


def masked(text: str, region: str) -> str:
    """`text` with e-mail addresses and telephone numbers replaced.

    Args:
        region: two-letter country in which numbers without "+" are dialled.
    """
    if "@" in text:
        text = EMAIL.sub(EMAIL_MASK, text)
    return _without_phones(text, region) if SEVEN_DIGITS.search(text) else text


def _without_phones(text: str, region: str) -> str:
    from phonenumbers import Leniency, PhoneNumberMatcher

    parts, end = [], 0
    for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
        parts += [text[end : match.start], PHONE_MASK]
        end = match.end
    return "".join([*parts, text[end:]])
