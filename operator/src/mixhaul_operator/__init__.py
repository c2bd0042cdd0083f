"""The operator: makes the cluster as each MixSource says, and reports how the haul goes. It never calls MiX."""
