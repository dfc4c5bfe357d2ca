//! A found bug leaves a test behind: programs that once went wrong.
