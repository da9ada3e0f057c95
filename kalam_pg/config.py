from storage.errors import KalamError
class ConfigError(KalamError):
    """config_file_error: a setting is not usable."""
    sqlstate = "F0000"
