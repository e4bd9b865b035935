//! The description of the interface (OpenAPI 3.1), and the page on which to try it.
//!
//! | file | holds |
//! | --- | --- |
//! | [`description`] | the whole, made from the route table |
//! | [`operations`] | which operation takes and answers what |
//! | [`parameters`] | what query parameters mean; the values that are refused before a handler runs |
//! | `schemas.json` | the forms of bodies and answers, with examples |
//! | `page.html` | the page; it needs nothing from elsewhere |

mod description;
mod operations;
pub(super) mod parameters;

pub use description::openapi;
pub(super) use description::routes;
