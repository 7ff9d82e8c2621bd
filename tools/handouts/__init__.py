"""What a class gets on paper or on a screen: `make slides`, `make questions`."""
