"""The training engine, recipes and settings."""
