"""Linear mixed models: one likelihood, several ways to evaluate it, one way to maximise it."""
