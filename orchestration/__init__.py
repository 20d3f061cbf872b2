"""Intent Map's orchestration: landing, dbt, valuation, publishing, and the Dagster definitions."""
