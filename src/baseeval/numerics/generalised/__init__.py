"""Generalised linear mixed models: families, Laplace's approximation, adaptive quadrature."""
