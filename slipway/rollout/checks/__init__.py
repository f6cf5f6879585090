"""What has to be seen before an environment counts as proved: one module per part of the declaration."""
