"""The operator's page: sagas, one saga, the checks. Rendered here, no build step, works without a script."""
