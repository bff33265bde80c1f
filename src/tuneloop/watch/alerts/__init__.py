"""Who hears of alarms: one file for each way."""
