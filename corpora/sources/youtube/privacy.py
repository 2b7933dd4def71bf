"""Keep personal data out of a corpus: pseudonyms for authors, masks for addresses and numbers.

A pseudonym shows which comments share an author within one dataset, and nothing across datasets.
Masking is incomplete: it covers e-mail addresses, @handles and valid telephone numbers, but not
plain names ("thank you, Jane Doe"), postal addresses, or links to a channel by id. It is meant for
comments only: in code, `@property` is not a person.
"""

import hashlib
import re
import secrets
from pathlib import Path

from system.files import write_whole

SALT = "salt"
SALT_BYTES = 32
EMAIL_MASK = "[e-mail]"
PHONE_MASK = "[phone]"
HANDLE_MASK = "[handle]"
# The look-behind lets a match begin only at the start of a word: linear on long runs of letters.
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# A handle has 3 to 30 letters, digits, and "_", "-", "." or a middle dot between them; outside
# ASCII 1 is enough. Letters are defined by what they are not, since \w lacks the vowel signs of
# Indian scripts; "%" occurs in links, "@@" in a reply to a reply.
_NO_LETTER = r"\s\x00-\x24\x26-\x2c/:-@\[-^`{-\xb6\xb8-\xbf\u2000-\u206f\u3000-\u303f\uff00-\uff20"
_LONG = rf"[^{_NO_LETTER}]{{2,29}}[^{_NO_LETTER}.\-%\xb7]"
_SHORT = rf"[^{_NO_LETTER}\x00-\x7f]{{1,2}}"
HANDLE = re.compile(rf"(?<![\w.+@\uff20-])(?:[@\uff20]++(?:{_LONG}|{_SHORT}))+")
SEVEN_DIGITS = re.compile(r"(?:\d[\s().+/-]{0,4}){7}")


def load_salt(directory: Path) -> bytes:
    """The salt of the dataset in `directory`, readable by its owner only; created if missing."""
    path = directory / SALT
    if not path.exists():
        write_whole(path, secrets.token_bytes(SALT_BYTES), mode=0o600)
    return path.read_bytes()


def pseudonym(salt: bytes, name: str) -> str:
    """A name as 16 hexadecimal digits: keyed BLAKE2b, so that names cannot be guessed."""
    return hashlib.blake2b(name.encode(), key=salt, digest_size=8).hexdigest()


def masked(text: str, region: str) -> str:
    """`text` with e-mail addresses, handles and telephone numbers replaced.

    Args:
        region: two-letter country code for telephone numbers without "+".
    """
    if "@" in text or "\uff20" in text:
        text = HANDLE.sub(HANDLE_MASK, EMAIL.sub(EMAIL_MASK, text))
    return _without_phones(text, region) if SEVEN_DIGITS.search(text) else text


def _without_phones(text: str, region: str) -> str:
    from phonenumbers import Leniency, PhoneNumberMatcher

    parts, end = [], 0
    for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
        parts += [text[end : match.start], PHONE_MASK]
        end = match.end
    return "".join([*parts, text[end:]])
