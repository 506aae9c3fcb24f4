"""A Panel application with one slider; `test_apps.py` runs it."""

from __future__ import annotations

import panel

panel.extension()
slider = panel.widgets.IntSlider(name="Side", start=0, end=100, value=3)
area = panel.pane.HTML(panel.bind(lambda side: f"area: {side * side}", slider))
panel.Column("# Panel through Jupyter", slider, area).servable()
