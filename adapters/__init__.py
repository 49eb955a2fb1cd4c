"""Raw bytes in, one standardised table (or raster set) per source out.

Belongs here: the source specification, units, codebooks, the raw archive, readers, the source
folders, the DuckDB store and the synthetic twin that writes raw files.
Never here: Dagster, torch, Great Expectations.
"""
