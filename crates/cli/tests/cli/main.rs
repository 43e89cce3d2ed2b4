//! The binary from the outside: what it prints and the status it ends with.

mod detections;
mod fixture;
mod help;
mod hunt;
#[cfg(unix)]
mod interrupt;
mod pack;
mod printing;
mod reading;
mod s3;
mod together;
