"""What the PneumoScreen module of 3D Slicer is made of. Research use only."""
