"""Shared by all tests; its folder is on the import path, so `good_standard` can be imported."""
