"""Measures the same work by several patterns over several transports: worlds, a closed loop, a hard kill."""
