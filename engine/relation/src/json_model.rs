//! The JSON form of a model, as `OpenFGA`'s HTTP interface takes it: JSON to [`Model`].

use crate::dsl::{NESTING_MAX, NODES_MAX};
use crate::error::{ModelError, ModelReason};
use crate::json::{Placed, Value, read};
use crate::model::{
    Model, Position, RelationDefinition, Restriction, RestrictionKind, Rewrite, TypeDefinition,
};
use crate::text::{is_relation_name, is_type_name, shortened};
use std::collections::BTreeMap;

impl Model {
    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line and column. Nothing of the model is taken then.
    pub fn parse_json(text: &str) -> Result<Self, ModelError> {
        let top = read(text)?;
        let mut reader = Reader { nodes: 0 };
        reader.model(&top)
    }
}

struct Reader {
    nodes: u32,
}

fn wrong(at: Position, found: &str, expected: &'static str) -> ModelError {
    ModelError::new(at, ModelReason::Unexpected { found: shortened(found), expected })
}

/// The members of an object.
fn members<'a>(placed: &'a Placed, expected: &'static str) -> Result<&'a [(String, Placed)], ModelError> {
    match &placed.value {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bare | Value::Text(_) | Value::List(_) => {
            Err(wrong(placed.at, "another value", expected))
        }
    }
}

fn list<'a>(placed: &'a Placed, expected: &'static str) -> Result<&'a [Placed], ModelError> {
    match &placed.value {
        Value::List(values) => Ok(values),
        Value::Null | Value::Bare | Value::Text(_) | Value::Object(_) => {
            Err(wrong(placed.at, "another value", expected))
        }
    }
}

fn text<'a>(placed: &'a Placed, expected: &'static str) -> Result<&'a str, ModelError> {
    match &placed.value {
        Value::Text(text) => Ok(text),
        Value::Null | Value::Bare | Value::List(_) | Value::Object(_) => {
            Err(wrong(placed.at, "another value", expected))
        }
    }
}

/// A member under one of its two spellings, when it is there and not null.
fn member<'a>(members: &'a [(String, Placed)], names: [&str; 2]) -> Option<&'a Placed> {
    let found = members.iter().find(|(name, _)| names.contains(&name.as_str()));
    found.map(|(_, value)| value).filter(|placed| placed.value != Value::Null)
}

impl Reader {
    fn count(&mut self, at: Position) -> Result<(), ModelError> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX { Err(ModelError::new(at, ModelReason::TooMany)) } else { Ok(()) }
    }

    fn model(&mut self, top: &Placed) -> Result<Model, ModelError> {
        let all = members(top, "a model")?;
        let version = member(all, ["schema_version", "schemaVersion"]);
        let version = version.ok_or_else(|| wrong(top.at, "an object", "schema_version"))?;
        let number = text(version, "a version")?;
        if !matches!(number, "1.1" | "1.2") {
            let found = shortened(number);
            return Err(ModelError::new(version.at, ModelReason::Version { found }));
        }
        if let Some(conditions) = member(all, ["conditions", "conditions"])
            && !members(conditions, "conditions")?.is_empty()
        {
            return Err(ModelError::new(conditions.at, ModelReason::NotSupported { what: "conditions" }));
        }
        let types = member(all, ["type_definitions", "typeDefinitions"]);
        let types = types.ok_or_else(|| wrong(top.at, "an object", "type_definitions"))?;
        let mut model = Model { types: Vec::new() };
        for one in list(types, "a list of types")? {
            let one = self.type_definition(one)?;
            model.types.push(one);
        }
        Ok(model)
    }

    fn type_definition(&mut self, placed: &Placed) -> Result<TypeDefinition, ModelError> {
        let all = members(placed, "a type")?;
        let name = member(all, ["type", "type"]).ok_or_else(|| wrong(placed.at, "an object", "type"))?;
        let at = name.at;
        let name = text(name, "the name of the type")?;
        if !is_type_name(name) {
            return Err(ModelError::new(at, ModelReason::Name { name: shortened(name) }));
        }
        self.count(at)?;
        let metadata = match member(all, ["metadata", "metadata"]) {
            Some(metadata) => members(metadata, "metadata")?,
            None => &[],
        };
        if let Some(module) = member(metadata, ["module", "module"])
            && !text(module, "a module")?.is_empty()
        {
            return Err(ModelError::new(module.at, ModelReason::NotSupported { what: "modules" }));
        }
        let hints = match member(metadata, ["relations", "relations"]) {
            Some(hints) => members(hints, "relations")?,
            None => &[],
        };
        let hints: BTreeMap<&str, &Placed> = hints.iter().map(|(name, hint)| (name.as_str(), hint)).collect();
        let mut relations = Vec::new();
        let defined = match member(all, ["relations", "relations"]) {
            Some(defined) => members(defined, "relations")?,
            None => &[],
        };
        for (relation, rewrite) in defined {
            if !is_relation_name(relation) {
                let name = shortened(relation);
                return Err(ModelError::new(rewrite.at, ModelReason::Name { name }));
            }
            self.count(rewrite.at)?;
            let direct = self.restrictions(hints.get(relation.as_str()).copied())?;
            let written = self.rewrite(rewrite, 0)?;
            relations.push(RelationDefinition {
                name: relation.clone(),
                at: rewrite.at,
                direct,
                rewrite: written,
            });
        }
        Ok(TypeDefinition { name: name.to_owned(), at, relations })
    }

    fn restrictions(&mut self, hint: Option<&Placed>) -> Result<Vec<Restriction>, ModelError> {
        let mut restrictions = Vec::new();
        let Some(hint) = hint else { return Ok(restrictions) };
        let names = ["directly_related_user_types", "directlyRelatedUserTypes"];
        let Some(types) = member(members(hint, "metadata of a relation")?, names) else {
            return Ok(restrictions);
        };
        for one in list(types, "a list of types")? {
            self.count(one.at)?;
            let all = members(one, "a type")?;
            if let Some(condition) = member(all, ["condition", "condition"])
                && !text(condition, "a condition")?.is_empty()
            {
                let reason = ModelReason::NotSupported { what: "conditions" };
                return Err(ModelError::new(condition.at, reason));
            }
            let name = member(all, ["type", "type"]).ok_or_else(|| wrong(one.at, "an object", "type"))?;
            let kind = match (member(all, ["relation", "relation"]), member(all, ["wildcard", "wildcard"])) {
                (Some(relation), None) if text(relation, "a relation")?.is_empty() => RestrictionKind::Object,
                (Some(relation), None) => RestrictionKind::Userset(text(relation, "a relation")?.to_owned()),
                (None, Some(wildcard)) => {
                    members(wildcard, "a wildcard")?;
                    RestrictionKind::Wildcard
                }
                (None, None) => RestrictionKind::Object,
                (Some(_), Some(wildcard)) => {
                    return Err(wrong(wildcard.at, "wildcard", "a relation or a wildcard, not both"));
                }
            };
            let type_name = text(name, "the name of a type")?.to_owned();
            restrictions.push(Restriction { type_name, kind, at: name.at });
        }
        Ok(restrictions)
    }

    fn rewrite(&mut self, placed: &Placed, depth: u32) -> Result<Rewrite, ModelError> {
        self.count(placed.at)?;
        if depth > NESTING_MAX {
            return Err(ModelError::new(placed.at, ModelReason::TooDeep));
        }
        let depth = depth.saturating_add(1);
        let [(name, value)] = members(placed, "a rewrite")? else {
            return Err(wrong(placed.at, "an object", "exactly one kind of rewrite"));
        };
        match name.as_str() {
            "this" => Ok(Rewrite::Direct),
            "computedUserset" | "computed_userset" => {
                let (relation, at) = relation(value)?;
                Ok(Rewrite::Computed { relation, at })
            }
            "tupleToUserset" | "tuple_to_userset" => {
                let all = members(value, "tupleset and computedUserset")?;
                let missing = || wrong(value.at, "an object", "tupleset and computedUserset");
                let tupleset = member(all, ["tupleset", "tupleset"]).ok_or_else(missing)?;
                let computed = member(all, ["computedUserset", "computed_userset"]).ok_or_else(missing)?;
                let (tupleset, at) = relation(tupleset)?;
                Ok(Rewrite::From { relation: relation(computed)?.0, tupleset, at })
            }
            "union" => Ok(Rewrite::Union(self.children(value, depth)?)),
            "intersection" => Ok(Rewrite::Intersection(self.children(value, depth)?)),
            "difference" => {
                let all = members(value, "base and subtract")?;
                let missing = || wrong(value.at, "an object", "base and subtract");
                let base = member(all, ["base", "base"]).ok_or_else(missing)?;
                let subtract = member(all, ["subtract", "subtract"]).ok_or_else(missing)?;
                let base = self.rewrite(base, depth)?;
                Ok(Rewrite::Exclusion(Box::new(base), Box::new(self.rewrite(subtract, depth)?)))
            }
            other => Err(wrong(value.at, other, "a kind of rewrite")),
        }
    }

    fn children(&mut self, placed: &Placed, depth: u32) -> Result<Vec<Rewrite>, ModelError> {
        let child = member(members(placed, "child")?, ["child", "child"]);
        let child = child.ok_or_else(|| wrong(placed.at, "an object", "child"))?;
        let mut operands = Vec::new();
        for one in list(child, "a list of rewrites")? {
            let one = self.rewrite(one, depth)?;
            operands.push(one);
        }
        if operands.is_empty() {
            Err(wrong(child.at, "nothing", "at least one rewrite"))
        } else {
            Ok(operands)
        }
    }
}

/// The relation that an object names.
fn relation(placed: &Placed) -> Result<(String, Position), ModelError> {
    let all = members(placed, "a relation")?;
    let found = member(all, ["relation", "relation"]);
    let found = found.ok_or_else(|| wrong(placed.at, "an object", "relation"))?;
    Ok((text(found, "a relation")?.to_owned(), found.at))
}

#[cfg(test)]
mod tests {
    use crate::error::ModelReason;
    use crate::model::{Model, RestrictionKind};

    fn read(kind: &str) -> Result<Vec<RestrictionKind>, ModelReason> {
        let text = format!(
            r#"{{"schema_version": "1.1", "type_definitions": [{{"type": "user"}}, {{"type": "t",
            "relations": {{"r": {{"this": {{}}}}}},
            "metadata": {{"relations": {{"r": {{"directly_related_user_types": [{{"type": "user"{kind}}}]}}}}}}}}]}}"#
        );
        let model = Model::parse_json(&text).map_err(|error| error.reason)?;
        let direct = model.types.into_iter().nth(1).into_iter().flat_map(|one| one.relations);
        Ok(direct.flat_map(|one| one.direct).map(|one| one.kind).collect())
    }

    /// PROPERTY: `null` is as if it were not there; another value of the wrong kind is turned down, and
    /// never passed over as if it were nothing.
    #[test]
    fn only_null_is_nothing() {
        let object = Ok(vec![RestrictionKind::Object]);
        for nothing in
            ["", r#", "condition": null"#, r#", "condition": """#, r#", "relation": null, "wildcard": null"#]
        {
            assert_eq!(read(nothing), object, "{nothing}");
        }
        assert_eq!(read(r#", "wildcard": {}"#), Ok(vec![RestrictionKind::Wildcard]));
        assert_eq!(read(r#", "condition": "c""#), Err(ModelReason::NotSupported { what: "conditions" }));
        for name in ["condition", "relation", "wildcard"] {
            for value in ["true", "false", "7", "nullx", "[]"] {
                let read = read(&format!(r#", "{name}": {value}"#));
                assert!(matches!(read, Err(ModelReason::Unexpected { .. })), "{name} {value}: {read:?}");
            }
        }
    }
}
