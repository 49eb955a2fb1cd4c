"""Model architectures in plain torch, one idea a file.

Belongs here: modules, their configurations and their loss functions.
Never here: reading or writing files, DeepSpeed, Dagster, anything that knows a recipe.
"""
