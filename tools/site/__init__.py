"""The site: `make book`, `make serve`."""
