"""Many runs seen together: which method, with how many labels, at what cost."""
