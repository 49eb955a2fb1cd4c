"""Standardised tables become samples, aligned columns and one feature matrix.

Belongs here: the row backbone, bringing every other source to it, splits, the feature dictionary,
the audit against a known truth, and a user's own points.
Never here: raw files, Dagster, model code.
"""
