"""Language models, loaded: the hub, files, limits, fingerprints and devices. It knows no words."""
