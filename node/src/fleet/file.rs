//! The fleet file, and the file of the keys that other cells know this node by: read whole, or refused with what to do.

use crate::config::{Config, ConfigError, read_toml};
use crate::exit::FatalError;
use figment::value::Value;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tessera_model::{Cell, CellId, CellName, Fleet, Handle, HandleKind, Private, TenantId};

/// LIMIT: bytes of a fleet file: 1,000 cells of some 400 B, and as much again for what people write beside them.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The fleet file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    version: u64,
    #[serde(default)]
    cell: Vec<CellWritten>,
    tenant: Option<Value>,
    tenants: Option<Value>,
    placement: Option<Value>,
    placements: Option<Value>,
}

/// A cell as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CellWritten {
    number: u16,
    name: String,
    address: String,
    certificate: Option<String>,
    http: Option<String>,
    tenant: Option<Value>,
    tenants: Option<Value>,
}

/// What to do with tenants in a fleet file.
const NO_TENANTS: &str = "where tenants live does not stand in the fleet file, which is the same everywhere and names cells alone: a tenant lives in the cell of its birth, and the nodes tell each other of those that were moved; take the line out";

fn refused(path: &Path, what: impl std::fmt::Display) -> FatalError {
    FatalError::config(format!("fleet.file {}: {what}", path.display()))
}

/// Reads the fleet of a configuration; nothing for a node that belongs to none.
///
/// # Errors
/// What is wrong with the file, and what to do.
pub(crate) fn read(config: &Config) -> Result<Option<Fleet>, FatalError> {
    let path = &config.fleet.file;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let about = std::fs::metadata(path).map_err(|error| refused(path, error))?;
    if about.len() > FILE_BYTES_MAX {
        return Err(refused(
            path,
            format!("it has {} bytes; at most {FILE_BYTES_MAX} are read", about.len()),
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refused(path, error))?;
    let own = CellName::new(&config.fleet.cell);
    let own = own.ok_or_else(|| FatalError::config("fleet.cell: must name this node's own cell"))?;
    parse(path, &text, &own).map(Some)
}

fn parse(path: &Path, text: &str, own: &CellName) -> Result<Fleet, FatalError> {
    let told = |error: ConfigError| FatalError::config(format!("fleet.file {error}"));
    let written: Written = read_toml(path, text).map_err(told)?;
    let of_cell = |cell: &CellWritten| cell.tenant.is_some() || cell.tenants.is_some();
    let placed = [&written.tenant, &written.tenants, &written.placement, &written.placements];
    if placed.into_iter().any(Option::is_some) || written.cell.iter().any(of_cell) {
        return Err(refused(path, NO_TENANTS));
    }
    let cells = written.cell.into_iter().map(|cell| {
        let name = CellName::new(&cell.name).ok_or_else(|| {
            let what = "small letters, digits and - between them, at most 32, are expected";
            refused(path, format!("cell {:?} has no name: {what}", cell.name))
        })?;
        let mut made = Cell {
            id: CellId(cell.number),
            name,
            address: cell.address.into(),
            certificate: cell.certificate.unwrap_or_default().into(),
            http: cell.http.unwrap_or_default().into(),
        };
        if made.certificate.is_empty() {
            made.certificate = made.host().into();
        }
        Ok(made)
    });
    let cells = cells.collect::<Result<Vec<Cell>, FatalError>>()?;
    Fleet::new(written.version, own, cells).map_err(|fault| refused(path, fault))
}

/// The keys that other cells know this node by. No `Debug`: it holds credentials.
pub(crate) type Keys = BTreeMap<CellName, Private>;

/// Reads the keys of a configuration; none where no file is named.
///
/// # Errors
/// What is wrong with the file, and what to do. The keys themselves are not told.
pub(crate) fn keys(config: &Config) -> Result<Keys, FatalError> {
    let path = &config.fleet.keys_file;
    if path.as_os_str().is_empty() {
        return Ok(Keys::new());
    }
    let refused = |what: String| FatalError::config(format!("fleet.keys_file {}: {what}", path.display()));
    let about = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(refused("others on this machine can read it: chmod 600".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let written: BTreeMap<String, String> = read_toml(path, &text).map_err(|_| {
        refused("it does not read: cell-name = \"tkey_...\" is expected in every line".to_owned())
    })?;
    let mut keys = Keys::new();
    for (cell, key) in written {
        let name = CellName::new(&cell).ok_or_else(|| refused(format!("{cell:?} is no name of a cell")))?;
        let handle = Handle::parse_text(&key).ok();
        let fits = |handle: &Handle| handle.kind == HandleKind::Key && handle.tenant == TenantId::SYSTEM;
        if !handle.as_ref().is_some_and(fits) {
            return Err(refused(format!(
                "what stands for cell {cell} is no operator's API key of that cell"
            )));
        }
        keys.insert(name, Private::new(key.into_bytes()));
    }
    Ok(keys)
}

/// Why a fleet that was read again does not take the place of the present one; nothing when it does.
pub(crate) fn unfit(present: &Fleet, read: &Fleet) -> Option<String> {
    if read.version() < present.version() {
        let (old, new) = (present.version(), read.version());
        return Some(format!(
            "it has version {new}, older than {old} in use: write the change into the newest file and count its version up"
        ));
    }
    if read.own() != present.own() {
        let (old, new) = (present.own(), read.own());
        return Some(format!(
            "this node's cell has the number {new} in it, and {old} in use: a cell keeps its number for ever, its tenants' ids begin with it"
        ));
    }
    if read.version() == present.version() && read.cells() != present.cells() {
        return Some(format!(
            "it says otherwise than version {} in use under the same version: count it up",
            present.version()
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "version = 3\n\n[[cell]]\nnumber = 1\nname = \"a\"\naddress = \"a.example.org:7443\"\n\n[[cell]]\nnumber = 2\nname = \"b\"\naddress = \"10.0.0.2:7443\"\ncertificate = \"b.example.org\"\nhttp = \"https://id-b.example.org\"\n";

    fn read_as(text: &str) -> Result<Fleet, String> {
        parse(Path::new("fleet.toml"), text, &CellName::new("a").expect("a name")).map_err(|error| error.what)
    }

    /// PROPERTY: any file is a fleet or an error with what to do; no cell of one lacks a name, an address or the name in
    /// its certificate. METHOD: 200,000 changed files.
    /// TC-83 in part: the fleet file.
    #[test]
    fn fuzz_fleet_files() {
        let words = "version number name address certificate http cell tenants placement [[ ]] [ ] = \" ' \n # : :: 65535 7443";
        let small = "version = 1\n[[cell]]\nnumber = 1\nname = \"a\"\naddress = \"[::1]:7443\"\n";
        let target = tessera_fuzz::Target::new("fleet-file").seeds([WHOLE, small]).words(words);
        let found = target.run(|bytes| {
            let read = read_as(&String::from_utf8_lossy(bytes));
            if let Ok(fleet) = &read {
                let named = |cell: &Cell| !cell.address.is_empty() && !cell.certificate.is_empty();
                assert!(fleet.cells().iter().all(named), "a cell lacks something");
                assert!(fleet.cell(fleet.own()).is_some(), "its own cell is not in it");
            }
            tessera_fuzz::Outcome::of(&read.map(|fleet| fleet.cells().len()))
        });
        println!("{}", found.unwrap_or_else(|finding| panic!("{finding}")));
    }

    /// PROPERTY: a whole file gives the cells with their names in certificates, which are those of their hosts where
    /// nothing else is said.
    #[test]
    fn a_file_is_read() {
        let fleet = read_as(WHOLE).expect("a fleet");
        assert_eq!((fleet.version(), fleet.own()), (3, CellId(1)));
        let names: Vec<_> = fleet.cells().iter().map(|cell| &*cell.certificate).collect();
        assert_eq!(names, ["a.example.org", "b.example.org"]);
        assert_eq!(&*fleet.cells()[1].http, "https://id-b.example.org");
    }

    /// PROPERTY: each mistake is told with what to do, and names the place.
    #[test]
    fn mistakes_are_told() {
        let with = |more: &str| format!("{WHOLE}{more}");
        let cases = [
            (with("[[cell]]\nnumber = 3\nname = \"b\"\naddress = \"c:1\"\n"), "cell b is named twice"),
            (with("[[cell]]\nnumber = 2\nname = \"c\"\naddress = \"c:1\"\n"), "two cells have the number 2"),
            (with("[[cell]]\nnumber = 3\nname = \"c\"\naddress = \"c\"\n"), "the address of cell c is none"),
            (with("[[cell]]\nnumber = 3\nname = \"C\"\naddress = \"c:1\"\n"), "cell \"C\" has no name"),
            (
                with("[[cell]]\nnumber = 3\nname = \"c\"\naddress = \"c:1\"\nweight = 3\n"),
                "weight: no such key",
            ),
            (with("[[cell]]\nnumber = 3\nname = \"c\"\naddress = \"c:1\"\ntenants = [\"x\"]\n"), NO_TENANTS),
            (format!("tenants = {{ acme = \"a\" }}\n{WHOLE}"), NO_TENANTS),
            (WHOLE.replace("version = 3\n", ""), "it has no version"),
            (WHOLE.replace("name = \"a\"", "name = \"z\""), "it does not name this node's own cell, a"),
            (WHOLE.replace("version = 3", "verison = 3"), "verison: no such key"),
            ("version = 1\n".to_owned(), "it names no cell"),
            ("version = \n".to_owned(), "does not read as TOML"),
        ];
        for (text, told) in cases {
            let error = read_as(&text).expect_err(told);
            assert!(error.contains(told) && error.contains("fleet.toml"), "{error}");
        }
    }

    /// PROPERTY: a file that was changed takes the place of the one in use only with a higher version and the same
    /// number for this node's cell.
    #[test]
    fn older_files_are_refused() {
        let present = read_as(WHOLE).expect("a fleet");
        let told = |text: String| unfit(&present, &read_as(&text).expect("a fleet"));
        assert_eq!(told(WHOLE.to_owned()), None);
        assert_eq!(told(WHOLE.replace("version = 3", "version = 4").replace("10.0.0.2", "10.0.0.3")), None);
        for (text, why) in [
            (WHOLE.replace("version = 3", "version = 2"), "older than 3"),
            (WHOLE.replace("10.0.0.2", "10.0.0.3"), "under the same version"),
            (
                WHOLE.replace("version = 3", "version = 4").replace("number = 1", "number = 9"),
                "keeps its number",
            ),
        ] {
            assert!(told(text).is_some_and(|told| told.contains(why)), "{why}");
        }
    }
}
