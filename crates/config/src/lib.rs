//! Resources from a folder of YAML files, watched.
