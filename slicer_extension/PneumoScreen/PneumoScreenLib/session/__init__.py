"""A reader's session: the open case from its download to its submission, in the scene and by keys."""
