"""A Gradio application under a prefix: ``gradio_app.py <port> <prefix>``."""

import sys

import gradio


def shout(text: str):
    """One letter more each time: shows that answers stream."""
    for end in range(1, len(text) + 1):
        yield text[:end].upper()


gradio.Interface(shout, "text", "text", api_name="shout").launch(
    server_name="127.0.0.1", server_port=int(sys.argv[1]), root_path=sys.argv[2].rstrip("/"), share=False
)
