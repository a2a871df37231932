//! Random schemas, and random values that fit them.

use crate::random::Random;

/// A type of the language.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Type {
    /// A type with a name: `Bool`, `Long`, `String`, an entity type or an extension.
    Named(&'static str),
    /// A set.
    Set(Box<Self>),
    /// A record.
    Record(Vec<Field>),
}

/// A field of a record, or an attribute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) shape: Type,
    /// Whether it may be missing.
    pub(crate) optional: bool,
}

/// Entity types, and below which type they stand.
pub(crate) const KINDS: [(&str, &str); 4] =
    [("Group", "Group"), ("User", "Group"), ("Folder", "Folder"), ("Doc", "Folder")];
const PLAIN: [&str; 7] = ["Bool", "Long", "String", "ipaddr", "decimal", "datetime", "duration"];
/// Entities of each type; the last is one that nobody knows.
pub(crate) const ENTITIES: usize = 5;

impl Type {
    fn random(random: &mut Random, depth: usize) -> Self {
        match random.below(if depth == 0 { 6 } else { 10 }) {
            0..=3 => Self::Named(pick(random, &PLAIN)),
            4 | 5 => Self::Named(pick(random, &["User", "Group", "Folder", "Doc"])),
            6 | 7 => Self::Set(Box::new(Self::random(random, depth - 1))),
            _ => Self::Record(
                (0..=random.below(3))
                    .map(|number| Field {
                        name: format!("f{number}"),
                        shape: Self::random(random, depth - 1),
                        optional: random.chance(25),
                    })
                    .collect(),
            ),
        }
    }

    /// How the schema writes it.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Named(name) => (*name).to_owned(),
            Self::Set(item) => format!("Set<{}>", item.text()),
            Self::Record(fields) => {
                let fields: Vec<String> = fields.iter().map(Field::text).collect();
                format!("{{ {} }}", fields.join(", "))
            }
        }
    }

    /// Whether a literal can have exactly this type: no field of it may be missing.
    #[must_use]
    pub(crate) fn is_written(&self) -> bool {
        match self {
            Self::Named(_) => true,
            Self::Set(item) => item.is_written(),
            Self::Record(fields) => fields.iter().all(|field| !field.optional && field.shape.is_written()),
        }
    }
}

impl Field {
    fn text(&self) -> String {
        let mark = if self.optional { "?" } else { "" };
        format!("\"{}\"{mark}: {}", self.name, self.shape.text())
    }
}

/// One of a list.
pub(crate) fn pick<T: Copy + Default>(random: &mut Random, list: &[T]) -> T {
    list.get(random.below(list.len())).copied().unwrap_or_default()
}

/// A schema.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Attributes by entity type, in the order of [`KINDS`].
    pub(crate) kinds: Vec<Vec<Field>>,
    /// Types of tags by entity type.
    pub(crate) tags: Vec<Type>,
    /// The context.
    pub(crate) context: Vec<Field>,
    /// Types that occur in several places.
    pub(crate) pool: Vec<Type>,
}

impl Shape {
    /// A random one.
    #[must_use]
    pub(crate) fn random(random: &mut Random) -> Self {
        let mut pool: Vec<Type> = (0..6).map(|_| Type::random(random, 3)).collect();
        pool.extend(PLAIN.map(Type::Named));
        pool.extend(["String", "Long"].map(|name| Type::Set(Box::new(Type::Named(name)))));
        pool.push(Type::Set(Box::new(Type::Set(Box::new(Type::Named("Long"))))));
        pool.push(Type::Set(Box::new(Type::Record(vec![Field {
            name: "f0".to_owned(),
            shape: Type::Named("String"),
            optional: false,
        }]))));
        let fields = |random: &mut Random, prefix: &str, count: usize| -> Vec<Field> {
            (0..count)
                .map(|number| {
                    let shape = pool.get(random.below(pool.len())).cloned().unwrap_or(Type::Named("Bool"));
                    Field { name: format!("{prefix}{number}"), shape, optional: random.chance(30) }
                })
                .collect()
        };
        let kinds = KINDS
            .iter()
            .map(|(kind, above)| {
                let mut all = fields(random, "a", 5);
                let own = |name: &str, shape: Type| Field { name: name.to_owned(), shape, optional: false };
                all.push(own("owner", Type::Named("User")));
                all.push(own("near", Type::Set(Box::new(Type::Named(kind)))));
                all.push(Field { optional: true, ..own("next", Type::Named(kind)) });
                all.push(own("places", Type::Set(Box::new(Type::Named(above)))));
                all
            })
            .collect();
        let tags = KINDS.iter().map(|_| pick_type(random, &pool)).collect();
        let context = fields(random, "c", 9);
        Self { kinds, tags, context, pool }
    }

    /// The text of the schema.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (((kind, above), fields), tags) in KINDS.iter().zip(&self.kinds).zip(&self.tags) {
            let record = Type::Record(fields.clone()).text();
            text += &format!("entity {kind} in [{above}] = {record} tags {};\n", tags.text());
        }
        let context = Type::Record(self.context.clone()).text();
        text.push_str("action \"all\";\n");
        for (action, resource) in [("read", "Doc"), ("write", "Doc"), ("list", "Folder")] {
            text += &format!(
                "action \"{action}\" in [\"all\"] appliesTo {{ principal: [User], resource: [{resource}], context: {context} }};\n"
            );
        }
        text
    }

    /// Attributes of an entity type.
    #[must_use]
    pub(crate) fn attributes(&self, kind: &str) -> Option<&[Field]> {
        let at = KINDS.iter().position(|(name, _)| *name == kind)?;
        self.kinds.get(at).map(Vec::as_slice)
    }

    /// The entities as JSON.
    #[must_use]
    pub(crate) fn entities(&self, random: &mut Random) -> String {
        let mut all = Vec::new();
        for (((kind, above), fields), tags) in KINDS.iter().zip(&self.kinds).zip(&self.tags) {
            for number in 0..ENTITIES - 1 {
                // Those of their own type stand below later ones only, so that there is no circle.
                let first = if kind == above { number + 1 } else { 0 };
                let parents: Vec<String> = (first..ENTITIES - 1)
                    .filter(|_| random.chance(35))
                    .map(|parent| uid_json(above, parent))
                    .collect();
                let mut tagged = Vec::new();
                for key in ["a", "b", "ab"] {
                    if random.chance(50) {
                        tagged.push(format!("\"{key}\":{}", json(random, tags)));
                    }
                }
                all.push(format!(
                    "{{\"uid\":{},\"attrs\":{},\"parents\":[{}],\"tags\":{{{}}}}}",
                    uid_json(kind, number),
                    json_record(random, fields),
                    parents.join(","),
                    tagged.join(",")
                ));
            }
        }
        format!("[{}]", all.join(","))
    }

    /// A context as JSON.
    #[must_use]
    pub(crate) fn context_json(&self, random: &mut Random) -> String {
        json_record(random, &self.context)
    }
}

fn pick_type(random: &mut Random, pool: &[Type]) -> Type {
    pool.get(random.below(pool.len())).cloned().unwrap_or(Type::Named("Bool"))
}

fn uid_json(kind: &str, number: usize) -> String {
    format!("{{\"type\":\"{kind}\",\"id\":\"{}\"}}", id(number))
}

/// The id of an entity by number.
#[must_use]
pub(crate) fn id(number: usize) -> String {
    format!("e{number}")
}

/// Texts of values of a plain type, the same in policies and in JSON.
#[must_use]
pub(crate) fn texts(name: &str) -> &'static [&'static str] {
    match name {
        "Bool" => &["true", "false"],
        "Long" => &["0", "1", "2", "3", "-1", "7", "9223372036854775807", "-9223372036854775808"],
        "String" => &["", "a", "b", "ab", "abc", "a*c", "\u{e9}a", "aab"],
        "ipaddr" => &["10.0.0.1", "10.0.0.0/8", "127.0.0.1", "::1", "224.0.0.1", "ff02::1/16", "10.0.0.0/24"],
        "decimal" => &["0.0", "1.5", "-1.5", "1.5000", "2.25", "922337203685477.5807"],
        "datetime" => {
            &["1970-01-01", "2024-02-29T12:30:00Z", "2024-02-29", "1969-12-31T23:00:00+0100", "9999-12-31"]
        }
        "duration" => &["0ms", "1h", "1d", "-1d2h", "36h", "9223372036854775807ms", "90s"],
        _ => &[],
    }
}

fn json(random: &mut Random, shape: &Type) -> String {
    match shape {
        Type::Named(name @ ("Bool" | "Long")) => pick(random, texts(name)).to_owned(),
        Type::Named(name) if texts(name).is_empty() => uid_json(name, random.below(ENTITIES)),
        Type::Named(name) => format!("\"{}\"", pick(random, texts(name))),
        Type::Set(item) => {
            let items: Vec<String> = (0..random.below(4)).map(|_| json(random, item)).collect();
            format!("[{}]", items.join(","))
        }
        Type::Record(fields) => json_record(random, fields),
    }
}

fn json_record(random: &mut Random, fields: &[Field]) -> String {
    let mut written = Vec::new();
    for field in fields {
        if !field.optional || random.chance(60) {
            written.push(format!("\"{}\":{}", field.name, json(random, &field.shape)));
        }
    }
    format!("{{{}}}", written.join(","))
}
