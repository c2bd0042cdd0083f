"""The MixSource model: manifest, validation, conditions and the generated CRD."""
