//! Decides which calls are recorded, and says why.
