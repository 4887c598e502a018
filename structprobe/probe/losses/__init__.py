"""Losses with gradients in closed form."""
