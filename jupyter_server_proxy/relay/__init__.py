"""Relay: bytes from one side to the other, with backpressure, and nothing kept."""
