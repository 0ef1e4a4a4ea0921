"""What a new study begins with: a commented study file, an example, and a workbook to record in."""
