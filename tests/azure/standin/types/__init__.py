"""One table of resource types per part of Azure."""
