"""Rules on a file's content: long lines, tables, generated code, secrets."""
