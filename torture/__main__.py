def preload():
    from tuneloop.core.provenance import code_version, environment

    code_version(), environment()
