"""The ingestor in a cluster: MixSources by watch, the Lease that decides who tries to lead.

Nothing outside of this package imports the Kubernetes client, and this package is imported in that mode only:
standalone start and memory stay as they are.
"""
