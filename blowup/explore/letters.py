"""Text as outlines, each string measured and laid out once and not in every frame."""

from functools import lru_cache

from matplotlib.textpath import TextToPath


class Letters(TextToPath):
    """matplotlib's ``TextToPath`` with a memory: its answers depend on nothing but their arguments."""

    def get_text_width_height_descent(self, s, prop, ismath):
        return self._size(
            s, prop.copy(), ismath
        )  # a copy, since properties may change and are their own hash

    @lru_cache(4096)  # noqa: B019 (there is one of its kind, and it lives as long as the module)
    def _size(self, s, prop, ismath):
        return super().get_text_width_height_descent(s, prop, ismath)

    def get_glyphs_with_font(self, font, s, glyph_map=None, return_new_glyphs_only=False, **options):
        if any(options.values()):  # a language, or features of the font: too rare to remember
            return super().get_glyphs_with_font(font, s, glyph_map, return_new_glyphs_only, **options)
        places, outlines, rects = self._layout(font, s)
        known = {} if glyph_map is None else glyph_map
        new = {name: outline for name, outline in outlines.items() if name not in known}
        return places, new if return_new_glyphs_only else known | new, rects

    @lru_cache(4096)  # noqa: B019
    def _layout(self, font, s):
        return super().get_glyphs_with_font(font, s)


LETTERS = Letters()
