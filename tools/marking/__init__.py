"""Marking a class: ``make grade`` (grade.py) calls this; course/marking.md says what it does."""

import sys

# jsonschema (for nbformat) tries this package to check addresses, which no notebook has; it spends 2.5 s on
# building a grammar. None makes the import fail, and jsonschema goes on without it.
sys.modules.setdefault("rfc3987_syntax", None)
