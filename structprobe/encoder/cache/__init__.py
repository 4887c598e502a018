"""Word vectors on disk: whole layers, shards, locks and HDF5."""
