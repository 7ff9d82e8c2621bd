"""The explorer in a live kernel: ipywidgets (7.7 or newer), and ``draw`` on every move."""

import base64
import io
import traceback
from html import escape

import matplotlib as mpl

PIXELS = 2  # image pixels for each pixel on the screen, so that the picture is sharp on dense displays


def show(explorer):
    """Display the widget as one output, with the start picture and a line of text for whoever cannot."""
    from IPython.display import publish_display_data

    # Outside any Output widget: an exception here is the cell's, and whoever runs the notebook sees it.
    picture = _picture(explorer, explorer.start)
    png, width, text = picture
    box = widget(explorer, picture)
    publish_display_data(
        {
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": box.model_id,
            },
            "image/png": base64.b64encode(png).decode(),
            "text/plain": explorer.line(text),
        },
        metadata={"image/png": {"width": width}},
    )


def widget(explorer, picture):
    """The box of controls, in order, and below them the picture, at first the one given."""
    import ipywidgets

    controls = [_control(p) for p in explorer.parameters]
    frame = ipywidgets.HTML(_image(*picture))

    def update(_change):
        values = {p.name: c.value for p, c in zip(explorer.parameters, controls, strict=True)}
        try:
            frame.value = _image(*_picture(explorer, values))
        except Exception as error:
            # Shown where the reader looks, and raised all the same: nothing is swallowed.
            lines = "".join(traceback.format_exception_only(error))
            frame.value = f'<pre role="alert" style="color:#b00020">{escape(lines)}</pre>'
            raise

    for control in controls:
        control.observe(update, names="value")
    return ipywidgets.VBox([*controls, frame])


def _control(p):
    import ipywidgets

    kind = ipywidgets.SelectionSlider if p.is_number else ipywidgets.Dropdown
    return kind(
        options=list(zip(p.texts, p.values, strict=True)),
        value=p.values[p.start],
        description=p.label,
        style={"description_width": "initial"},
        layout={"width": "min(100%, 32em)"},
    )


def _picture(explorer, values):
    """(PNG bytes, width in CSS pixels, text) of one state."""
    buffer = io.BytesIO()
    with explorer.drawn(values) as (figure, text), mpl.rc_context({"savefig.bbox": None}):
        figure.savefig(buffer, format="png", dpi=96 * PIXELS)
        return buffer.getvalue(), round(96 * figure.get_figwidth()), text


def _image(png, width, text):
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    return f'<img alt="{escape(text)}" src="{source}" style="width:{width}px;max-width:100%">'
