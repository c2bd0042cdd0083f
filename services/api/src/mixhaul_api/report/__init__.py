"""The performance report: a driver's month as a form to print and sign."""
