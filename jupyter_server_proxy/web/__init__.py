"""The journey of a request, on tornado.web. Who may set out, Jupyter Server or JupyterHub say, which stand above."""
