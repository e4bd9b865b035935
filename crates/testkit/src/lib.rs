//! Generators, mock clock and faulty store for tests.
