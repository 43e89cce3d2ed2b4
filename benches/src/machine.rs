//! The machine that figures belong to.

use std::fmt;
use std::fs;
use std::thread;

/// What has to be said beside every figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    cores: usize,
    model: String,
    kernel: String,
    memory: String,
}

impl Machine {
    /// Looks at this machine; what cannot be known is said to be unknown.
    #[must_use]
    pub fn here() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let member = |path: &str, key: &str| {
            let text = text(path);
            let line = text.lines().find(|line| line.starts_with(key));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let unknown = || "unknown".to_owned();
        let kernel = text("/proc/sys/kernel/osrelease").trim().to_owned();
        let memory = member("/proc/meminfo", "MemTotal").and_then(|total| {
            let kibibytes: u64 = total.strip_suffix(" kB")?.trim().parse().ok()?;
            Some(format!("{} GiB", kibibytes.div_ceil(1 << 20)))
        });
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            model: member("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            kernel: if kernel.is_empty() { unknown() } else { kernel },
            memory: memory.unwrap_or_else(unknown),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, model, kernel, memory } = self;
        write!(f, "{cores} cores of {model}, {memory}, {} {kernel}", std::env::consts::OS)
    }
}

/// Returns how many processes wanted to run in the last minute, on average.
#[must_use]
pub fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_core_and_names() {
        let machine = Machine::here();
        assert!(machine.cores > 0);
        assert!(!machine.model.is_empty() && !machine.kernel.is_empty());
    }
}
