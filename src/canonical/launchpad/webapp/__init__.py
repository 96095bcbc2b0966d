"""What a person sees: pages, and the same for programs."""
