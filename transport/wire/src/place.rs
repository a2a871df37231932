//! How addresses, networks and origins lie in fields.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::part::{Part, number, text};
use crate::tag::Tag;
use std::net::IpAddr;
use tessera_model::limits::{NETWORKS_MAX, ORIGINS_MAX};
use tessera_model::{Limit, Network, Origin};

impl Part for u64 {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, *self);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        number(tag, from)
    }
}

impl Part for Vec<Network> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for network in self {
            let mut bytes = match network.address() {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            bytes.push(network.prefix());
            out.bytes(tag, &bytes);
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut networks = Self::new();
        for value in from.all(tag) {
            let FieldValue::Bytes(bytes) = value? else { return Err(WireError::BadField(tag)) };
            let Some((prefix, address)) = bytes.split_last() else { return Err(WireError::BadField(tag)) };
            let address = address_of(address).ok_or(WireError::BadField(tag))?;
            if networks.len() == NETWORKS_MAX {
                return Err(WireError::Limit(tag, Limit::Networks));
            }
            networks.push(Network::new(address, *prefix).map_err(|_| WireError::Malformed(tag))?);
        }
        Ok(networks)
    }
}

/// An address of 4 or 16 bytes.
fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    let four = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four().or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

impl Part for IpAddr {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        match self {
            Self::V4(address) => out.bytes(tag, &address.octets()),
            Self::V6(address) => out.bytes(tag, &address.octets()),
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let FieldValue::Bytes(bytes) = from.one(tag)? else { return Err(WireError::BadField(tag)) };
        address_of(bytes).ok_or(WireError::BadField(tag))
    }
}

impl Part for Vec<Origin> {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        for origin in self {
            out.text(tag, origin.as_str());
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut origins = Self::new();
        for value in from.all(tag) {
            if origins.len() == ORIGINS_MAX {
                return Err(WireError::Limit(tag, Limit::Origins));
            }
            origins.push(Origin::new(text(tag, value?)?).map_err(|_| WireError::Malformed(tag))?);
        }
        Ok(origins)
    }
}
