//! What a value of a schema may look like.

use serde_json::{Map, Value, json};

/// Schemas within schemas that are followed.
const DEEPEST: usize = 8;

/// An example of what `schema` describes; `all`: the named schemas (`components.schemas`).
pub(super) fn sample(schema: &Value, all: &Value) -> Value {
    one(schema, all, DEEPEST)
}

/// What a reference points to, or the schema itself.
pub(super) fn resolve<'a>(schema: &'a Value, all: &'a Value) -> &'a Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    name.and_then(|name| all.get(name)).unwrap_or(schema)
}

fn one(schema: &Value, all: &Value, depth: usize) -> Value {
    let schema = resolve(schema, all);
    if depth == 0 {
        return Value::Null;
    }
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return first.clone();
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(members) = one(part, all, depth - 1) {
                whole.extend(members);
            }
        }
        return whole.into();
    }
    if let Some(choice) = ["oneOf", "anyOf"].iter().find_map(|kind| schema.get(*kind)).and_then(Value::as_array) {
        let real = choice.iter().find(|choice| kind(choice) != "null");
        return real.map_or(Value::Null, |choice| one(choice, all, depth - 1));
    }
    match kind(schema) {
        "object" => {
            let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            members.map(|(name, of)| (name.clone(), one(of, all, depth - 1))).collect::<Map<_, _>>().into()
        }
        "array" => schema.get("items").map_or_else(|| json!([]), |items| json!([one(items, all, depth - 1)])),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        "string" => json!("…"),
        _ => Value::Null,
    }
}

/// The type of a schema's values; of several the first that is not null.
pub(super) fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
        }
        _ => "",
    }
}
