//! Where a request comes from.

use std::net::{IpAddr, Ipv6Addr};

/// Where a request comes from: kept with sessions and endings, counted by limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address (behind a trusted proxy, the one that it forwards).
    pub address: IpAddr,
    /// What the client calls itself (`User-Agent`), without control characters, at most 256 characters.
    pub device: String,
}

impl Origin {
    /// An origin with `device` made safe to store and show.
    #[must_use]
    pub fn new(address: IpAddr, device: &str) -> Self {
        let device = device.chars().filter(|c| !c.is_control()).take(256).collect();
        Self { address: address.to_canonical(), device }
    }

    /// What limits count this origin by.
    #[must_use]
    pub fn block(&self) -> AddressBlock {
        AddressBlock::of(self.address)
    }
}

/// What one subscriber can choose addresses from: one IPv4 address, or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressBlock(IpAddr);

impl AddressBlock {
    /// The block an address belongs to. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(IpAddr::V4(v4)),
            IpAddr::V6(v6) => Self(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)))),
        }
    }

    /// Whether both are of one network as providers hand them out: an IPv4 /24, an IPv6 /48. Addresses within one change by
    /// themselves.
    #[must_use]
    pub fn is_near(self, other: Self) -> bool {
        match (self.0, other.0) {
            (IpAddr::V4(one), IpAddr::V4(other)) => one.to_bits() >> 8 == other.to_bits() >> 8,
            (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() >> 80 == other.to_bits() >> 80,
            _ => false,
        }
    }
}

impl std::str::FromStr for AddressBlock {
    type Err = std::net::AddrParseError;

    /// The block of an address that is written in `text`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::of)
    }
}

impl std::fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_is_one_block() {
        let block = |text: &str| text.parse().map(AddressBlock::of);
        assert_eq!(block("2001:db8::1"), block("2001:db8::ffff:0:0:1"));
        assert_ne!(block("2001:db8::1"), block("2001:db8:0:1::1"));
        assert_eq!(block("::ffff:192.0.2.7"), block("192.0.2.7"));
        assert_ne!(block("192.0.2.7"), block("192.0.2.8"));
    }

    #[test]
    fn near_is_what_one_provider_hands_out_together() {
        let is_near = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.parse::<AddressBlock>().unwrap());
            assert_eq!(one.is_near(other), other.is_near(one));
            one.is_near(other)
        };
        assert!(is_near("192.0.2.7", "192.0.2.255") && is_near("::ffff:192.0.2.7", "192.0.2.8"));
        assert!(!is_near("192.0.2.7", "192.0.3.7"));
        assert!(is_near("2001:db8:1:1::1", "2001:db8:1:ffff::2"));
        assert!(!is_near("2001:db8:1::1", "2001:db8:2::1") && !is_near("192.0.2.7", "2001:db8:1::1"));
    }
}
