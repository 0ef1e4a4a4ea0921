"""Sources: files as they come, read into columns that keep their contract."""
