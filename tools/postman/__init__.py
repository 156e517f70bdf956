"""Postman collections of the shop's edges, and their runner: `python -m tools.postman` runs them with newman.

`dialects/` says what is asked and what has to come back; `python -m tools.postman.write` makes `postman/*.json` of it.
"""
