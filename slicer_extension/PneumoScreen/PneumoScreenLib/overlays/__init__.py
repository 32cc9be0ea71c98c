"""What lies over the pictures (MRML): masks of lungs and infection, the Grad-CAM of a radiograph."""
