"""Storm classes, and the utilities over them."""
