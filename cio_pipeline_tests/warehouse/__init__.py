"""The dbt project and its audiences, on a small feed that was worked out by hand."""
