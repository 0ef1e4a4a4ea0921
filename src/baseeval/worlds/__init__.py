"""Synthetic pupils whose truth is known: the witness that every method here is tried against.

A world file states schools, pupils, placement and effects; :func:`simulate` turns it and a
seed into tables shaped like a study's own and into the true effects. Nothing here imports the
methods, so agreement between the two is evidence. The derivation is in
``docs/methods/worlds.md``.
"""

from baseeval.worlds.simulation import World, simulate, simulate_recipe
from baseeval.worlds.writing import write_simulation, write_world

__all__ = ["World", "simulate", "simulate_recipe", "write_simulation", "write_world"]
