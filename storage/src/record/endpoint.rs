//! Endpoints of services as records.

use super::field::{Field, Reader, RecordError, put_bytes, put_list, record};
use super::noun::text;
use tessera_model::Pattern;
use tessera_model::endpoint::{Endpoint, EndpointsRecord};
use tessera_model::limits::{ENDPOINT_BYTES_MAX, ENDPOINTS_MAX};

record! {
    EndpointsRecord { service, endpoints }
}

impl Field for Vec<Endpoint> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(ENDPOINTS_MAX)
    }
}

/// Method, path, target.
impl Field for Endpoint {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.method().as_bytes(), out);
        put_bytes(self.path().as_bytes(), out);
        self.target().put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let (method, path) = (text(input, ENDPOINT_BYTES_MAX)?, text(input, ENDPOINT_BYTES_MAX)?);
        Self::new(method, path, &Pattern::take(input)?).map_err(|_| RecordError::BadText)
    }
}
