"""Aligned multimodal tiles around places, with a presence mask for every pixel and band."""
