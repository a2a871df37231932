//! What the description says of the parts of requests about relations.

use crate::openapi::{or_null, schema};
use crate::operation::Shape;
use crate::tuple::{CHECKS_MAX, CONTEXT_MAX};
use serde_json::{Map, Value, json};
use tessera_model::limits::RELATION_CHANGES_MAX;

/// The schema of such a part.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is described elsewhere")]
pub(crate) fn relation_shape(shape: Shape) -> Value {
    match shape {
        // How long they may be is counted in bytes; what is too long or empty is told when it is looked at, in a
        // batch beside the answers of the others.
        Shape::Model | Shape::User | Shape::Relation | Shape::Object | Shape::Type => {
            json!({ "type": "string" })
        }
        Shape::Tuples => json!({ "type": "array", "maxItems": RELATION_CHANGES_MAX, "items": tuple(true) }),
        Shape::Plain(most) => json!({ "type": "array", "maxItems": most, "items": tuple(false) }),
        Shape::RelationChecks => {
            let mut check = tuple(false);
            if let Some(Value::Object(properties)) = check.get_mut("properties") {
                properties.insert("contextual_tuples".to_owned(), or_null(schema(Shape::Plain(CONTEXT_MAX))));
                properties.insert(
                    "correlation_id".to_owned(),
                    or_null(json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,36}$" })),
                );
            }
            json!({ "type": "array", "minItems": 1, "maxItems": CHECKS_MAX, "items": check })
        }
        _ => json!({}),
    }
}

/// A tuple of relations; with `windows` it may have one.
fn tuple(windows: bool) -> Value {
    let mut properties = Map::new();
    for (name, shape) in [("user", Shape::User), ("relation", Shape::Relation), ("object", Shape::Object)] {
        properties.insert(name.to_owned(), schema(shape));
    }
    if windows {
        for name in ["from", "until"] {
            properties.insert(name.to_owned(), or_null(schema(Shape::Instant)));
        }
    }
    json!({
        "type": "object", "additionalProperties": false, "required": ["user", "relation", "object"],
        "properties": properties,
    })
}
