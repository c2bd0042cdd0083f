"""A MiX Integrate stand-in over real HTTP, with faults, a movable clock and the truth."""
