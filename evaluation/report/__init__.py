"""The report as HTML, Markdown and JSON, the index, and the comparison of two runs."""
