"""One file per model, each exposing `RECIPE` and, where a model has named variants, `VARIANTS`."""
