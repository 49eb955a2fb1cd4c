"""Photographs of soil profiles with described horizons: labels, and versioned sets of them."""
