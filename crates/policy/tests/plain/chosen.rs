//! Chosen rules, word by word: the texts that administrators and lawyers read.
