"""Scenes of satellites and map makers: which there are, what their pixels mean, how they arrive."""
