"""Measurements of the whole program: time, memory and the latency of the server."""
