"""Effects: from a design and an outcome to an estimate, an interval and a verdict."""
