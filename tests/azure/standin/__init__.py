"""A stand-in for the provider `azure-native`: the real protocol, the SDK's real types, a cloud in one file."""
