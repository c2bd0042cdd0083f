"""What every Mixhaul process shares: logging, metrics and health endpoints, election, shutdown."""
