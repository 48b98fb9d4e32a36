//! Writes a row for every recording into every journal database.
