"""What is known of making backups to a server that has them made by another program."""

WORKSPACE = ".iotcenter-backup-"
"""How folders are called in which backups are made, beside their file. Only a killed program leaves one."""
