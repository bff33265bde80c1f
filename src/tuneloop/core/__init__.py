"""The ground floor: errors, configuration, paths, atomic writes, hashing, progress, language."""
