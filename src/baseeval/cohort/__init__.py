"""Cohort: who is compared, who is not and why; covariates and outcomes kept apart."""
