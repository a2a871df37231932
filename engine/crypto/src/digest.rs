//! BLAKE3 in the forms that Tessera uses: plain, keyed, derived, incremental, as tags of handles.
//!
//! `hash` and `keyed` join their parts without a separator, because the formats do (docs/file.md);
//! a caller whose parts vary in length frames them itself.

/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 32;

#[cfg(feature = "planted")]
thread_local! {
    static MADE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How many keyed hashes this thread has made of handles, refresh handles and identifiers. Only in builds for
/// tests: a forgery must cost one, and a test counts it.
#[cfg(feature = "planted")]
#[must_use]
pub fn hashes_made() -> u64 {
    MADE.get()
}

/// Counts a keyed hash, in builds for tests.
#[inline(always)]
fn count() {
    #[cfg(feature = "planted")]
    MADE.set(MADE.get() + 1);
}

/// The hash of the parts, one behind the other.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut held = [0; GATHERED_BYTES];
    match gather(parts, &mut held) {
        Some(whole) => *blake3::hash(whole).as_bytes(),
        None => joined(blake3::Hasher::new(), parts),
    }
}

/// Bytes of parts that are gathered and hashed at once, which costs less than a hash in the making.
const GATHERED_BYTES: usize = 512;

fn gather<'a>(parts: &[&[u8]], held: &'a mut [u8; GATHERED_BYTES]) -> Option<&'a [u8]> {
    let mut len = 0;
    for part in parts {
        held.get_mut(len..)?.get_mut(..part.len())?.copy_from_slice(part);
        len += part.len();
    }
    held.get(..len)
}

/// The keyed hash of the parts, one behind the other.
#[must_use]
pub fn keyed(key: &[u8; DIGEST_BYTES], parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    match parts {
        [whole] => *blake3::keyed_hash(key, whole).as_bytes(),
        _ => joined(blake3::Hasher::new_keyed(key), parts),
    }
}

fn joined(mut hasher: blake3::Hasher, parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// A key for one purpose. `context` is a fixed text of the program, never input.
#[must_use]
pub fn derive_key(context: &str, material: &[u8]) -> [u8; DIGEST_BYTES] {
    blake3::derive_key(context, material)
}

/// The keyed hash of an identifier's normal form, first 16 bytes: what uniqueness is decided on.
/// `kind` is one byte, so that no two pairs of kind and form join to the same bytes.
#[must_use]
pub fn identifier_hash(index_key: &[u8; DIGEST_BYTES], kind: u8, normal: &[u8]) -> [u8; 16] {
    count();
    first_half(keyed(index_key, &[&[kind], normal]))
}

/// The mac of a refresh handle: first 16 bytes of the keyed hash of the handle's first 20 bytes, the tag
/// of its place, the key's number and the index (24 bits). The tag keeps a place that is handed out again
/// apart from its former life. SPEC: formats.md section 1.
#[must_use]
pub fn refresh_mac(
    refresh_key: &[u8; DIGEST_BYTES],
    head: &[u8; 20],
    tag: &[u8; 16],
    (number, index): (u8, u32),
) -> [u8; 16] {
    count();
    let [i0, i1, i2, _] = index.to_le_bytes();
    let place = [number, i0, i1, i2];
    let mut whole = [0; 40];
    for (to, from) in whole.iter_mut().zip(head.iter().chain(tag).chain(&place)) {
        *to = *from;
    }
    first_half(*blake3::keyed_hash(refresh_key, &whole).as_bytes())
}

fn first_half(digest: [u8; DIGEST_BYTES]) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = from;
    }
    out
}

/// A hash in the making, plain or keyed.
#[derive(Clone)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Starts a plain hash.
    #[must_use]
    pub fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    /// Starts a keyed hash.
    #[must_use]
    pub fn keyed(key: &[u8; DIGEST_BYTES]) -> Self {
        Self(blake3::Hasher::new_keyed(key))
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    /// The hash of everything taken so far.
    #[must_use]
    pub fn finish(&self) -> [u8; DIGEST_BYTES] {
        *self.0.finalize().as_bytes()
    }

    /// Fills `out` from the extendable output: a seeded stream of bytes, for generators in tests.
    pub fn fill(&self, out: &mut [u8]) {
        self.0.finalize_xof().fill(out);
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes the tags of handles: first 16 bytes of the keyed hash of a handle's 40 bytes.
///
/// The key is derived from fixed text once, because deriving it for every handle costs as much as
/// the hash itself. It keeps tags apart from other hashes; it is no secret.
#[derive(Clone)]
pub struct Tagger([u8; DIGEST_BYTES]);

impl Tagger {
    /// Derives the key. SPEC: formats.md section 1.
    #[must_use]
    pub fn new() -> Self {
        Self(derive_key("tessera handle v1", b""))
    }

    /// The tag of a handle.
    #[must_use]
    pub fn tag(&self, handle: &[u8; 40]) -> [u8; 16] {
        count();
        first_half(*blake3::keyed_hash(&self.0, handle).as_bytes())
    }

    /// The tag as the two words that a place of the session table holds, little-endian.
    #[must_use]
    pub fn tag_words(&self, handle: &[u8; 40]) -> (u64, u64) {
        tag_words(self.tag(handle))
    }
}

impl Default for Tagger {
    fn default() -> Self {
        Self::new()
    }
}

/// A tag's 16 bytes as two words, little-endian.
#[must_use]
pub const fn tag_words(tag: [u8; 16]) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = tag;
    (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// SPEC: BLAKE3 test_vectors.json: input is 0, 1, … 250, 0, …; the key is a published text.
    #[test]
    fn published_vectors() {
        let input: Vec<u8> = (0..1024u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let key = b"whats the Elvish word for friend";
        let context = "BLAKE3 2019-12-27 16:29:52 test vectors context";
        assert_eq!(hex(&hash(&[])), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_eq!(hex(&keyed(key, &[])), "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26");
        assert_eq!(
            hex(&derive_key(context, b"")),
            "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d"
        );
        assert_eq!(hex(&hash(&[&input])), "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7");
    }

    /// PROPERTY: however the input is cut into parts, every form gives the same hash.
    #[test]
    fn parts_do_not_change_a_hash() {
        let input: Vec<u8> = (0..200).cycle().take(GATHERED_BYTES + 20).collect();
        let key = [7; 32];
        for len in [GATHERED_BYTES - 1, GATHERED_BYTES, GATHERED_BYTES + 1] {
            let (head, tail) = input.split_at(len);
            let whole = hash(&[head, &tail[..0]]);
            assert_eq!(whole, Hasher::new().update(head).finish());
            assert_eq!(whole, *blake3::hash(head).as_bytes());
        }
        for cut in 0..input.len() {
            let (head, tail) = input.split_at(cut);
            assert_eq!(hash(&[head, tail]), hash(&[&input]));
            assert_eq!(keyed(&key, &[head, tail]), keyed(&key, &[&input]));
            assert_eq!(Hasher::new().update(head).update(tail).finish(), hash(&[&input]));
            assert_eq!(Hasher::keyed(&key).update(head).update(tail).finish(), keyed(&key, &[&input]));
        }
    }

    /// PROPERTY: a tag is the formula of formats.md section 1, and its words are its bytes.
    #[test]
    fn tags_follow_the_formula() {
        let handle = [9; 40];
        let tagger = Tagger::new();
        let expected = keyed(&derive_key("tessera handle v1", b""), &[&handle]);
        let tag = tagger.tag(&handle);
        assert_eq!(tag[..], expected[..16]);
        let (low, high) = tagger.tag_words(&handle);
        assert_eq!([low.to_le_bytes(), high.to_le_bytes()].concat(), tag);
    }

    /// PROPERTY: a refresh mac is the formula of formats.md section 1, and every bit of what it covers
    /// counts. METHOD: each single-bit change of key, head, tag, number and index.
    #[test]
    fn refresh_macs_follow_the_formula() {
        let (key, head, tag, number, index) = ([1; 32], [2; 20], [3; 16], 4, 0x07_0605);
        let mac = refresh_mac(&key, &head, &tag, (number, index));
        let expected = keyed(&key, &[&head, &tag, &[4, 5, 6, 7]]);
        assert_eq!(mac[..], expected[..16]);
        fn turned<const N: usize>(bytes: [u8; N]) -> impl Iterator<Item = [u8; N]> {
            (0..N * 8).map(move |bit| {
                let mut changed = bytes;
                changed[bit / 8] ^= 1 << (bit % 8);
                changed
            })
        }
        assert!(turned(key).all(|key| refresh_mac(&key, &head, &tag, (number, index)) != mac));
        assert!(turned(head).all(|head| refresh_mac(&key, &head, &tag, (number, index)) != mac));
        assert!(turned(tag).all(|tag| refresh_mac(&key, &head, &tag, (number, index)) != mac));
        assert!((0..8).all(|bit| refresh_mac(&key, &head, &tag, (number ^ 1 << bit, index)) != mac));
        assert!((0..24).all(|bit| refresh_mac(&key, &head, &tag, (number, index ^ 1 << bit)) != mac));
    }

    /// PROPERTY: identifiers of two kinds, two tenants or two forms never share a hash.
    /// TC-8.
    #[test]
    fn identifier_hashes_differ_by_kind_key_and_form() {
        let base = identifier_hash(&[1; 32], 1, b"ann@example.com");
        assert_ne!(base, identifier_hash(&[1; 32], 2, b"ann@example.com"));
        assert_ne!(base, identifier_hash(&[2; 32], 1, b"ann@example.com"));
        assert_ne!(base, identifier_hash(&[1; 32], 1, b"ann@example.org"));
        assert_eq!(base, identifier_hash(&[1; 32], 1, b"ann@example.com"));
    }
}
