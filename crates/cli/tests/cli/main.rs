//! Tests of the binary: its output and its exit status.

mod answers;
mod baselines;
mod check;
mod config;
mod content;
mod correlations;
mod detections;
mod doubts;
mod fixture;
mod fmt;
mod help;
mod hostile;
mod hunt;
mod indexes;
#[cfg(unix)]
mod interrupt;
mod lake;
mod models;
mod pack;
mod printing;
#[cfg(unix)]
mod queued;
mod reading;
mod replay;
mod s3;
mod serve;
mod served;
mod silence;
mod slips;
#[cfg(unix)]
mod special_files;
mod stored;
mod test;
mod together;
