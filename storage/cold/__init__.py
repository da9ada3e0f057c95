"""What was flushed: segments and the manifests that name them."""
