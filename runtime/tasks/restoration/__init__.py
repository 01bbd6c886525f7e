"""Pictures into better pictures: inpainting, denoising, upscaling, brightening, colorizing."""
