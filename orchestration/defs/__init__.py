"""What Dagster sees: assets, partitions, jobs, schedules, sensors; one module per kind."""
