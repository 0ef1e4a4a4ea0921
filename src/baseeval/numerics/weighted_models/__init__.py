"""Outcome models of weighted pupils in weighted schools: pseudo-likelihood, estimating equations.

`docs/methods/weighted-models.md` derives what is here, and says when to use which.
"""
