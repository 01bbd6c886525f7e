"""What models are measured on: datasets, and seeded damage and latents."""
