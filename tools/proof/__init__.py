"""The book's claims held against other seeds and against broken experiments."""
