"""The JSON API: a small file for each noun. The pages, the command line and other programs all go through the same
parts."""
