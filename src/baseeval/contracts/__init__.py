"""What a column of pupil data is: its kind, and the codes that stand for no value."""
