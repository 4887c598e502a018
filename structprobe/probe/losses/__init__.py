"""Geometries: their losses and gradients in closed form."""
