"""Ensure running: start a configured server once, watch it, and end all of its processes."""
