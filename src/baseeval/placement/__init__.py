"""Placements: who was in a base, when, by which source, and which schools host one."""
