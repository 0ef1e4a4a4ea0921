"""The only way out: what may leave, and a screen for what must not."""
