"""The MiX Integrate client: identity, transport, budget, wire types, errors."""
