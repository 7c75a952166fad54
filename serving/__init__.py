"""HTTP serving of released models: the V2 protocol, pictures and JSON, over bundles, hosted by BentoML."""
