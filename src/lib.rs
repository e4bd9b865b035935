//! The server and the command line of Auspex, as a library that the binary and the tests share.
//!
//! | module | holds |
//! | --- | --- |
//! | [`cli`] | the commands |
//! | [`config`] | the server's configuration |
//! | [`app`] | the parts of a running server, put together |
//! | `authority` | hosts with their ports |
//! | `machine` | what the machine has |
//! | `tasks` | work that goes on without anybody waiting |
//! | [`api`] | the HTTP interface; the only code that knows HTTP |

pub mod api;
pub mod app;
mod authority;
pub mod cli;
pub mod config;
mod machine;
mod searches;
mod tasks;
