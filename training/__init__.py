"""The one training platform for all models.

Belongs here: recipes, datasets, the training loop on DeepSpeed, checkpoints, launchers,
evaluation, prediction. Never here: architectures (`models`), asset definitions
(`dagster_project`).
"""
