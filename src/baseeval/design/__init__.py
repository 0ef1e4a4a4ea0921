"""Design: who is compared with whom, decided from covariates alone.

No module here is given an outcome. Making weights, matching, and judging
balance are separate acts with one `baseeval.results.Weights` between them.
"""
