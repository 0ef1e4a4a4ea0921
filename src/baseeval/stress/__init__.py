"""What would overturn an answer: procedures run again on worlds whose truth is known."""
