"""Released rows become words, figures, one page and plain files."""
