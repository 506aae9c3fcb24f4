"""The journey of a request, on tornado.web; who may set out is said by Jupyter Server or JupyterHub, which stand above."""
