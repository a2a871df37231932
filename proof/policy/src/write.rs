//! Random policies over a schema, in the text of the language.

use crate::random::Random;
use crate::shape::{ENTITIES, Shape, Type, id, pick, texts};

/// An expression that is there, its type, and what must hold before it may be read.
#[derive(Clone, Debug)]
struct Path {
    text: String,
    shape: Type,
    guards: Vec<String>,
}

/// Writes policies.
pub(crate) struct Writer<'a> {
    shape: &'a Shape,
    random: &'a mut Random,
    paths: Vec<Path>,
}

/// Ways to begin a condition, one for each operator.
const WAYS: usize = 34;

impl<'a> Writer<'a> {
    /// A writer of policies about this type of resource.
    pub(crate) fn new(shape: &'a Shape, resource: &'static str, random: &'a mut Random) -> Self {
        let mut writer = Self { shape, random, paths: Vec::new() };
        let context = Type::Record(shape.context.clone());
        for (root, shape) in
            [("principal", Type::Named("User")), ("resource", Type::Named(resource)), ("context", context)]
        {
            writer.walk(Path { text: root.to_owned(), shape, guards: Vec::new() }, 3);
        }
        writer
    }

    /// Notes a path and those behind it.
    fn walk(&mut self, path: Path, depth: usize) {
        let fields = match &path.shape {
            Type::Named(name) => self.shape.attributes(name).unwrap_or_default().to_vec(),
            Type::Record(fields) => fields.clone(),
            Type::Set(_) => Vec::new(),
        };
        if path.text != "context" {
            self.paths.push(path.clone());
        }
        for field in fields.into_iter().filter(|_| depth > 0) {
            let mut guards = path.guards.clone();
            if field.optional {
                guards.push(format!("{} has {}", path.text, field.name));
            }
            let text = format!("{}.{}", path.text, field.name);
            self.walk(Path { text, shape: field.shape, guards }, depth - 1);
        }
    }

    /// A policy, or a template when `slots`.
    pub(crate) fn policy(&mut self, resource: &str, slots: bool) -> String {
        let effect = if self.random.chance(22) { "forbid" } else { "permit" };
        let action = if resource == "Folder" {
            pick(self.random, &["action == Action::\"list\"", "action in [Action::\"list\"]"])
        } else {
            pick(
                self.random,
                &[
                    "action == Action::\"read\"",
                    "action in [Action::\"read\", Action::\"write\"]",
                    "action == Action::\"write\"",
                    "action in Action::\"all\"",
                ],
            )
        };
        let (one, two) = (self.random.below(ENTITIES), self.random.below(ENTITIES));
        let subject = match self.random.below(if slots { 2 } else { 12 }) {
            0 if slots => "principal == ?principal".to_owned(),
            1 if slots => "principal in ?principal".to_owned(),
            0 => format!("principal == User::\"{}\"", id(one)),
            1 => format!("principal in Group::\"{}\"", id(one)),
            2 => format!("principal is User in Group::\"{}\"", id(one)),
            3 | 4 => "principal is User".to_owned(),
            _ => "principal".to_owned(),
        };
        let about = match self.random.below(12) {
            0 if slots => "resource in ?resource".to_owned(),
            0 => format!("resource == {resource}::\"{}\"", id(two)),
            1 => format!("resource is {resource} in Folder::\"{}\"", id(two)),
            _ => format!("resource is {resource}"),
        };
        let mut text = format!("{effect}({subject}, {action}, {about})");
        for _ in 0..=self.random.below(2) {
            let word = if self.random.chance(25) { "unless" } else { "when" };
            let depth = 1 + self.random.below(3);
            let condition = self.truth(depth);
            text.push_str(&format!("\n{word} {{ {condition} }}"));
        }
        text.push_str(";\n");
        text
    }

    /// A condition.
    fn truth(&mut self, depth: usize) -> String {
        if depth == 0 {
            let way = self.random.below(WAYS);
            return self.way(way, 0);
        }
        let way = self.random.below(WAYS);
        let begun = self.way(way, depth - 1);
        match self.random.below(9) {
            0 => format!("!({begun})"),
            1 => format!("({begun} && {})", self.truth(depth - 1)),
            2 => format!("({} || {begun})", self.truth(depth - 1)),
            3 => format!("({} && {begun})", self.truth(depth - 1)),
            4 => format!("(if {} then {begun} else {})", self.truth(depth - 1), self.truth(depth - 1)),
            5 => format!("({begun} == {})", self.truth(depth - 1)),
            _ => begun,
        }
    }

    fn way(&mut self, way: usize, depth: usize) -> String {
        match way {
            0..=3 => self.equality(way, depth),
            4..=7 => {
                let name = pick(self.random, &["Long", "datetime", "duration"]);
                let (left, right) = self.two(name, depth);
                let order = ["<", "<=", ">", ">="].get(way - 4).copied().unwrap_or_default();
                format!("{left} {order} {right}")
            }
            8..=11 => {
                let word = ["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"];
                let (left, right) = self.two("decimal", depth);
                let word = word.get(way - 8).copied().unwrap_or_default();
                format!("{left}.{word}({right})")
            }
            12..=15 => {
                let word = ["isIpv4", "isIpv6", "isLoopback", "isMulticast"];
                let left = self.value(&Type::Named("ipaddr"), depth);
                format!("{left}.{}()", word.get(way - 12).copied().unwrap_or_default())
            }
            16 => {
                let (left, right) = self.two("ipaddr", depth);
                format!("{left}.isInRange({right})")
            }
            17..=21 => {
                let word = ["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"];
                let left = self.value(&Type::Named("duration"), depth);
                let right = self.value(&Type::Named("Long"), depth);
                let word = word.get(way - 17).copied().unwrap_or_default();
                format!("{left}.{word}() {} {right}", pick(self.random, &["<", ">=", "!="]))
            }
            22 => self.time(depth),
            23..=25 => self.sums(way, depth),
            26..=29 => self.sets(way, depth),
            30 => self.hierarchy(depth),
            31 => self.like(depth),
            32 => self.has(),
            _ => self.tag(depth),
        }
    }

    fn equality(&mut self, way: usize, depth: usize) -> String {
        let written = |shape: &Type| shape.is_written();
        let pool: Vec<Type> = self.shape.pool.iter().filter(|shape| written(shape)).cloned().collect();
        let nested: Vec<Type> =
            pool.iter().filter(|shape| !matches!(shape, Type::Named(_))).cloned().collect();
        let from = if way < 2 || nested.is_empty() { pool } else { nested };
        let shape = from.get(self.random.below(from.len())).cloned().unwrap_or(Type::Named("Bool"));
        let (left, right) = (self.value(&shape, depth), self.value(&shape, depth));
        format!("{left} {} {right}", pick(self.random, &["==", "!="]))
    }

    fn two(&mut self, name: &'static str, depth: usize) -> (String, String) {
        let shape = Type::Named(name);
        (self.value(&shape, depth), self.value(&shape, depth))
    }

    fn time(&mut self, depth: usize) -> String {
        let at = self.value(&Type::Named("datetime"), depth);
        let long = self.value(&Type::Named("duration"), depth);
        match self.random.below(4) {
            0 => format!("{at}.offset({long}) > {}", self.value(&Type::Named("datetime"), 0)),
            1 => format!("{at}.durationSince({}) < {long}", self.value(&Type::Named("datetime"), 0)),
            2 => format!("{at}.toDate() == {}", self.value(&Type::Named("datetime"), 0)),
            _ => format!("{at}.toTime() <= {long}"),
        }
    }

    fn sums(&mut self, way: usize, depth: usize) -> String {
        let (left, right) = self.two("Long", depth);
        let other = self.value(&Type::Named("Long"), 0);
        let order = pick(self.random, &["<", "<=", ">", ">=", "==", "!="]);
        match way {
            23 => format!("({left} + {right}) {order} {other}"),
            24 => format!("({left} - {right}) {order} {other}"),
            _ if self.random.chance(35) => {
                format!("({left} * {}) {order} {right}", pick(self.random, &["2", "-3", "0"]))
            }
            _ => format!("(-{left}) {order} {right}"),
        }
    }

    fn sets(&mut self, way: usize, depth: usize) -> String {
        let pool: Vec<Type> = self.shape.pool.iter().filter(|shape| shape.is_written()).cloned().collect();
        let item = pool.get(self.random.below(pool.len())).cloned().unwrap_or(Type::Named("Long"));
        let item = if let (Type::Set(inner), true) = (&item, self.random.chance(60)) {
            (**inner).clone()
        } else {
            item
        };
        let set = Type::Set(Box::new(item.clone()));
        let left = self.value(&set, depth);
        match way {
            26 => format!("{left}.contains({})", self.value(&item, depth)),
            27 => format!("{left}.containsAll({})", self.value(&set, depth)),
            28 => format!("{left}.containsAny({})", self.value(&set, depth)),
            _ => format!("{left}.isEmpty()"),
        }
    }

    fn hierarchy(&mut self, depth: usize) -> String {
        let (low, high) = if self.random.chance(50) { ("User", "Group") } else { ("Doc", "Folder") };
        let one = self.value(&Type::Named(low), depth);
        match self.random.below(6) {
            0 => format!("{one} in {}", self.value(&Type::Named(high), depth)),
            1 => format!("{one} in {}", self.value(&Type::Set(Box::new(Type::Named(high))), depth)),
            2 => format!("{one} is {low} in {}", self.value(&Type::Named(high), 0)),
            3 => format!("{one} in {one}.places"),
            4 => format!("{one} is {low}"),
            _ => format!("{one}.places.contains({})", self.value(&Type::Named(high), 0)),
        }
    }

    fn like(&mut self, depth: usize) -> String {
        let text = self.value(&Type::Named("String"), depth);
        let form = pick(self.random, &["a*", "*b*", "*", "", "a\\*c", "*a*b", "\u{e9}*", "ab", "*c"]);
        format!("{text} like \"{form}\"")
    }

    /// Whether attributes are there, each in the one before.
    fn has(&mut self) -> String {
        let guarded: Vec<&Path> = self.paths.iter().filter(|path| !path.guards.is_empty()).collect();
        let Some(path) = guarded.get(self.random.below(guarded.len())) else { return "true".to_owned() };
        let mut parts = path.text.split('.');
        let root = parts.next().unwrap_or_default();
        let rest: Vec<&str> = parts.collect();
        if self.random.chance(40) {
            return path.guards.join(" && ");
        }
        format!("{root} has {}", rest.join("."))
    }

    fn tag(&mut self, depth: usize) -> String {
        let kinds = ["User", "Doc", "Folder", "Group"];
        let (kind, at) = (pick(self.random, &kinds), self.random.below(3));
        let number = [1, 3, 2, 0].get(kinds.iter().position(|one| *one == kind).unwrap_or(0)).copied();
        let shape = self.shape.tags.get(number.unwrap_or(0)).cloned().unwrap_or(Type::Named("Bool"));
        let one = self.value(&Type::Named(kind), depth.min(1));
        let key = if at == 0 {
            self.value(&Type::Named("String"), 0)
        } else {
            format!("\"{}\"", pick(self.random, &["a", "b", "ab"]))
        };
        if !shape.is_written() {
            return format!("{one}.hasTag({key})");
        }
        let other = self.value(&shape, 0);
        format!("({one}.hasTag({key}) && {one}.getTag({key}) {} {other})", pick(self.random, &["==", "!="]))
    }

    /// A value of this type, which can be written.
    fn value(&mut self, shape: &Type, depth: usize) -> String {
        let paths: Vec<&Path> = self.paths.iter().filter(|path| path.shape == *shape).collect();
        if !paths.is_empty() && self.random.chance(60) {
            let path = paths.get(self.random.below(paths.len())).map(|path| (*path).clone());
            if let Some(path) = path {
                if path.guards.is_empty() {
                    return path.text;
                }
                return format!(
                    "(if {} then {} else {})",
                    path.guards.join(" && "),
                    path.text,
                    self.literal(shape, 0)
                );
            }
        }
        if depth == 0 {
            return self.literal(shape, 0);
        }
        match (shape, self.random.below(6)) {
            (_, 0) => {
                let (yes, no) = (self.value(shape, depth - 1), self.literal(shape, 0));
                format!("(if {} then {yes} else {no})", self.truth(depth - 1))
            }
            (Type::Named("Long"), 1..=3) => {
                let (left, right) = self.two("Long", depth - 1);
                format!("({left} {} {right})", pick(self.random, &["+", "-"]))
            }
            (Type::Named("datetime"), 1 | 2) => {
                format!(
                    "{}.offset({})",
                    self.value(shape, depth - 1),
                    self.value(&Type::Named("duration"), 0)
                )
            }
            (Type::Named("datetime"), 3) => format!("{}.toDate()", self.value(shape, depth - 1)),
            (Type::Named("duration"), 1 | 2) => {
                let (left, right) = self.two("datetime", depth - 1);
                format!("{left}.durationSince({right})")
            }
            (Type::Named("duration"), 3) => {
                format!("{}.toTime()", self.value(&Type::Named("datetime"), depth - 1))
            }
            (Type::Named("Bool"), 1..=4) => format!("({})", self.truth(depth - 1)),
            _ => self.literal(shape, depth - 1),
        }
    }

    fn literal(&mut self, shape: &Type, depth: usize) -> String {
        match shape {
            Type::Named(name @ ("Bool" | "Long")) => {
                let text = pick(self.random, texts(name));
                if text.starts_with('-') { format!("({text})") } else { text.to_owned() }
            }
            Type::Named("String") => format!("\"{}\"", pick(self.random, texts("String"))),
            Type::Named(name) if texts(name).is_empty() => {
                format!("{name}::\"{}\"", id(self.random.below(ENTITIES)))
            }
            Type::Named(name) => {
                let word = if *name == "ipaddr" { "ip" } else { name };
                format!("{word}(\"{}\")", pick(self.random, texts(name)))
            }
            Type::Set(item) => {
                let items: Vec<String> =
                    (0..=self.random.below(3)).map(|_| self.value(item, depth)).collect();
                format!("[{}]", items.join(", "))
            }
            Type::Record(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|field| format!("\"{}\": {}", field.name, self.value(&field.shape, depth)))
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }
}
