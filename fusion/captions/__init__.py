"""Captions of tiles whose every claim was checked against the tile.

Belongs here: measuring facts on a tile, writing captions from them, reading captions back into
claims, checking the claims against the arrays, ranking, measuring all of that, review by people.
Never here: building or storing tiles, training on captions, Dagster.
"""
