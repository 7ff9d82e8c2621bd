"""How the book is built, tried and marked: a room for each errand. README.md here is the map."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # of the repository
