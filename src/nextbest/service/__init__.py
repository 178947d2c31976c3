"""The HTTP face of a model folder: the only room that knows FastAPI, uvicorn and Prometheus.

`app.create_app` builds the application, `server.serve` runs it. Import those modules by name;
importing this package loads nothing.
"""
