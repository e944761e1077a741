"""One small file a family: a shape becomes the family's transformers configuration."""
