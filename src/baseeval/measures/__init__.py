"""Measures: from the columns of an outcome to one number a pupil and wave."""
