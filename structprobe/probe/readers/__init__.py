"""Estimators besides the structural probe: biaffine head selection and mixes of layers."""
