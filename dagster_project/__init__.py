"""Orchestration under Dagster: assets, checks, conditions, and the main job."""
