"""A Streamlit application with one button, as its tutorial begins; `test_apps.py` runs it."""

from __future__ import annotations

import streamlit

streamlit.title("Streamlit through Jupyter")
if "clicks" not in streamlit.session_state:
    streamlit.session_state.clicks = 0
if streamlit.button("Count"):
    streamlit.session_state.clicks += 1
streamlit.write(f"Number of clicks: {streamlit.session_state.clicks}")
