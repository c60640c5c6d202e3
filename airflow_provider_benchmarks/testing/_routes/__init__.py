"""The REST routes of the local evaluation service, one module per resource."""
