"""Comparing two arms that few schools hold: school means, permutation, and which to take when."""
