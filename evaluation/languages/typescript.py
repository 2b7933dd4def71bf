"""TypeScript: scanned like JavaScript; a unit is valid if it parses with or without JSX.

A sample does not say whether it is a .ts or a .tsx file, and the two grammars exclude each other:
`<T>value` is a type assertion in one and an element in the other.
"""

from dataclasses import replace

from evaluation.languages import javascript
from evaluation.syntax.grammar import Grammar

SCORER = replace(
    javascript.SCORER,
    grammar=Grammar(
        sources=(
            "tree_sitter_typescript:language_typescript",
            "tree_sitter_typescript:language_tsx",
        ),
        frames=javascript.FRAMES,
    ),
)
