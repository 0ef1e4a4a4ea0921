"""The one seam to data engines. Everything above it speaks narwhals."""
