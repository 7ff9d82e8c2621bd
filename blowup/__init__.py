"""The companion package of *Exploding Gradients*: what its chapters would otherwise repeat."""

__version__ = "0.1.0"
