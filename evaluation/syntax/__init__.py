"""Language-independent syntax: bracket lexer, units, tree-sitter grammars."""
