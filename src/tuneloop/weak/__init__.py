"""Labels made by functions instead of people, and what they are worth."""
