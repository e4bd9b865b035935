//! The engine from outside: whole jobs, record by record.

mod functions;
mod properties;
mod rules;
mod scores;
mod support;
