"""How the book is built, tried and marked: a folder for each errand."""
