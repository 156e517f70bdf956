"""Sagas in simulated worlds, and each rule taken out to see that the simulator finds the hole.

`trips`, `votes`, `bells` are scenarios; `effects` judges what their handlers have written. `ablations` says which rule
is taken out, where, and within how many seeds that has to be found; `python -m tests.simulation.ablations` prints it.
"""
