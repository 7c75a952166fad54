"""The commands of the device wheel, one file each."""
