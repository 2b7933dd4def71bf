"""Where in its line a character is: its column, and in an indentation that of the line above.

A narrow recurrent layer counts badly and forgets the line above. Short of time, it learns of an
indentation only that every fourth blank may be the last, and of a ruler hardly that it ends. So the
place in the line is an input: the column, with the character if it is the third of its kind in a
row, or while a line has only blanks, with the indentation of the last line that had more. No
column is larger than `MOST`, so that the end of a run is learned wherever it is.

Shapes: B streams, T characters, V ids.
"""

import torch
from torch import Tensor, nn

from modeling.vocab import MARK_ID, SPECIALS, Vocabulary

TEXT, BLANK, BREAK = 0, 1, 2
"""Kinds of characters; the file mark begins a line, as a line break does."""
BLANKS = " \t"
MOST = 79
"""Larger columns and indentations count as this: too few lines are longer to learn from them."""
NEAR = 8
"""Blanks by which an indentation may exceed the one above; further ones are like any others."""


class Layout(nn.Module):
    """Follows lines through a text.

    Its state is two numbers for each stream, (2, B) int64: the column, which is the number of
    characters since the line began, and the indentation I of the last line that has more than
    blanks; -1 - I once the present line is the last one. All zero at the start of a document.

    Attributes:
        kinds: kind of each id, (V,) int64.
    """

    kinds: Tensor

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        kinds = torch.zeros(vocabulary_size, dtype=torch.int64)
        kinds[MARK_ID] = BREAK
        self.register_buffer("kinds", kinds)

    def learn(self, vocabulary: Vocabulary) -> None:
        """Set the kinds of the characters."""
        known = {"\n": BREAK, **dict.fromkeys(BLANKS, BLANK)}
        kinds = [known.get(character, TEXT) for character in vocabulary.characters]
        self.kinds[SPECIALS:] = torch.tensor(kinds, dtype=torch.int64)

    def follow(self, ids: Tensor, state: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Read a chunk.

        Args:
            ids: (B, T) int64.
            state: before the chunk.
            codes: numbers of the two characters before the chunk and of `ids`, (B, T + 2) int64.

        Returns:
            A number for the place after each character, (B, T) int64, and the state after the last.
        """
        column, indent = state.unsqueeze(2)
        kinds = self.kinds[ids]
        times = torch.arange(1, ids.shape[1] + 1, device=ids.device)

        def latest(condition: Tensor, initial: Tensor) -> Tensor:
            """The last time at which the condition held, `initial` before the first."""
            return torch.where(condition, times, initial).cummax(dim=1)[0]

        columns = times - latest(kinds == BREAK, -column)
        had_begun = torch.where(indent < 0, 0, -column)
        has_text = latest(kinds == TEXT, had_begun) > times - columns
        had_text = torch.cat((indent < 0, has_text[:, :-1]), dim=1)
        firsts = latest((kinds == TEXT) & ~had_text, torch.zeros_like(column))
        before = torch.where(indent < 0, -1 - indent, indent)
        indents = torch.cat((before, columns - 1), dim=1).gather(1, firsts)
        same = codes[:, 1:] == codes[:, :-1]
        repeated = torch.where(same[:, 1:] & same[:, :-1], MOST + 1 + codes[:, 2:], 0)
        is_inside = ~has_text & (columns <= indents + NEAR)
        inside = torch.where(is_inside, indents.clamp(max=MOST) + 1, repeated)
        places = (MOST + 1) * inside + columns.clamp(max=MOST)
        after = torch.where(has_text, -1 - indents, indents)
        return places, torch.stack((columns[:, -1], after[:, -1]))
