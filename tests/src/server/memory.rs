//! What memory a server takes, as the kernel counts it.

use std::fs;

use super::Server;

impl Server {
    /// Memory that the server process holds now, without its children.
    pub fn rss_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most memory that it held at once since `forget_peak`.
    pub fn peak_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    pub fn forget_peak(&self) {
        // proc(5): 5 resets the peak.
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("the process is ours");
    }

    fn memory(&self, line: &str) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running process has a status");
        let kib: u64 = status
            .lines()
            .find_map(|text| text.strip_prefix(line))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .expect("a running process has memory");
        kib * 1024
    }
}
