"""What the local evaluation service stores: workspaces, filesets, metrics, benchmarks, jobs."""
