"""The labs' notebooks, made from their sources: `make labs`."""
