"""The lab as a platform: machines and certificates that really exist on this Linux machine."""
