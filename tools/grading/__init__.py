"""Marking a class: ``make grade`` (tools/grade.py) calls this; course/marking.md says what it does."""
