//! Limits on attempts: sign-in and token checks, by address.

use super::address::counted;
use crate::error::{Error, Result};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;

/// Counts wrong credentials and sign-ins for each address; good credentials cost nothing.
pub struct Limits {
    wrong_credentials: DefaultKeyedRateLimiter<IpAddr>,
    sign_ins: DefaultKeyedRateLimiter<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        let per_minute = |n: u32| Quota::per_minute(NonZeroU32::new(n).expect("limits are above 0"));
        Self { wrong_credentials: RateLimiter::keyed(per_minute(60)), sign_ins: RateLimiter::keyed(per_minute(60)) }
    }
}

impl Limits {
    /// Counts one wrong credential.
    pub fn wrong_credential(&self, address: IpAddr) -> Result<()> {
        count(&self.wrong_credentials, address)
    }

    /// Counts one start of a sign-in.
    pub fn sign_in(&self, address: IpAddr) -> Result<()> {
        count(&self.sign_ins, address)
    }

    /// Forgets addresses that have been quiet, so that memory stays bounded.
    pub fn forget_quiet(&self) {
        self.wrong_credentials.retain_recent();
        self.sign_ins.retain_recent();
    }
}

fn count(limiter: &DefaultKeyedRateLimiter<IpAddr>, address: IpAddr) -> Result<()> {
    limiter.check_key(&counted(address)).map_err(|not_until| Error::TooManyRequests {
        retry_after_secs: not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site_of_ipv6_has_one_count() {
        let limits = Limits::default();
        let address = |site: u128, network: u128| {
            IpAddr::from(((0x2001_0db8 << 96) | (site << 80) | (network << 64) | network).to_be_bytes())
        };
        let counts = |site| (0..100).filter(|n| limits.wrong_credential(address(site, *n)).is_ok()).count();
        assert!(counts(1) < 70);
        assert!(counts(2) >= 60);
    }
}
