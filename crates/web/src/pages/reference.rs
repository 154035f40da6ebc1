//! `/docs`: the API to read and to try, made from its own description.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::{Path, State};
use axum::response::Response;
use cerrojo_app::{Locale, Trouble};
use http::HeaderMap;
use minijinja::value::Serde;
use minijinja::{Environment, Error, HtmlEscape, context};
use serde::Serialize;
use serde_json::Value;

use super::sample::{kind, resolve, sample};
use super::{Language, asset, html};
use crate::Web;
use crate::api::openapi;
use crate::problem::{self, Problem};

/// Areas in the order in which somebody meets them: name, in Spanish, in English. Others follow.
const AREAS: [(&str, &str, &str); 7] = [
    ("session", "Sesión", "Session"),
    ("account", "Cuenta", "Account"),
    ("administration", "Administración", "Administration"),
    ("verifying", "Verificación en tus servicios", "Verifying in your services"),
    ("guards", "Guardas", "Guards"),
    ("health", "Salud", "Health"),
    ("description", "Descripción", "Description"),
];

/// Answers that say the same wherever they come, told once.
const COMMON: [&str; 5] = ["408", "413", "415", "500", "503"];

const STYLE: &str = include_str!("reference.css");
const SCRIPT: &str = include_str!("reference.js");

/// The page in Spanish and in English, made when somebody first asks.
static PAGES: LazyLock<Result<[String; 2], Error>> = LazyLock::new(|| {
    let document = serde_json::to_value(openapi::document()).unwrap_or_default();
    let made = |locale| make(&document, Language(locale));
    Ok([made(Locale::Es)?, made(Locale::En)?])
});

#[derive(Serialize)]
struct Area<'a> {
    name: &'a str,
    title: &'a str,
    operations: Vec<Operation<'a>>,
}

#[derive(Serialize)]
struct Operation<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    summary: &'a str,
    description: &'a str,
    /// `bearer`, `service` or nothing.
    credentials: &'a str,
    /// Whether it answers without them too.
    optional: bool,
    parameters: Vec<Field<'a>>,
    body: Option<RequestBody<'a>>,
    answers: Vec<Described<'a>>,
    /// A stream of events, which does not end by itself.
    streams: bool,
}

#[derive(Serialize)]
struct Field<'a> {
    name: &'a str,
    place: &'a str,
    kind: &'a str,
    required: bool,
    description: &'a str,
}

#[derive(Serialize)]
struct RequestBody<'a> {
    media_type: &'a str,
    required: bool,
    fields: Vec<Field<'a>>,
    sample: String,
}

#[derive(Serialize)]
struct Described<'a> {
    status: &'a str,
    description: &'a str,
    code: &'a str,
    sample: Option<String>,
}

fn make(document: &Value, language: Language) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_template("reference.html", include_str!("reference.html"))?;
    environment.add_filter("words", move |es: &str, en: &str| language.pick(es, en).to_owned());
    environment.add_filter("prose", prose);
    let template = environment.get_template("reference.html")?;
    template.render(context! {
        language => language.tag(),
        title => text(document, "/info/title"),
        version => text(document, "/info/version"),
        about => Serde(text(document, "/info/description").split("\n\n").collect::<Vec<_>>()),
        areas => Serde(areas(document, language)),
        common => Serde(common(document)),
    })
}

/// What stands between backticks as code.
fn prose(text: &str) -> minijinja::Value {
    let mut html = String::new();
    for (number, part) in text.split('`').enumerate() {
        let part = HtmlEscape(part);
        // A `String` takes whatever is written to it.
        let _ = if number % 2 == 1 { write!(html, "<code>{part}</code>") } else { write!(html, "{part}") };
    }
    minijinja::Value::from_safe_string(html)
}

fn common(document: &Value) -> BTreeMap<&str, Described<'_>> {
    let operations = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    let operations = operations.flat_map(|(_, operations)| operations.as_object().into_iter().flatten());
    let answers = operations.flat_map(|(_, of)| of.get("responses").and_then(Value::as_object).into_iter().flatten());
    let answers = answers.map(|(status, answer)| (status.as_str(), described(status, answer, &Value::Null)));
    answers.filter(|(status, answer)| is_common(status, answer)).collect()
}

fn is_common(status: &str, answer: &Described<'_>) -> bool {
    COMMON.contains(&status) && !answer.code.is_empty()
}

fn areas(document: &Value, language: Language) -> Vec<Area<'_>> {
    let mut areas: Vec<Area<'_>> = AREAS
        .into_iter()
        .map(|(name, es, en)| Area { name, title: language.pick(es, en), operations: Vec::new() })
        .collect();
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    let all = document.pointer("/components/schemas").unwrap_or(&Value::Null);
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let area = text(operation, "/tags/0");
            let operation = read(operation, all, (method, path));
            match areas.iter_mut().find(|known| known.name == area) {
                Some(known) => known.operations.push(operation),
                None => areas.push(Area { name: area, title: area, operations: vec![operation] }),
            }
        }
    }
    areas
}

fn read<'a>(operation: &'a Value, all: &'a Value, (method, path): (&str, &'a str)) -> Operation<'a> {
    let asked: Vec<&Value> = operation.get("security").and_then(Value::as_array).into_iter().flatten().collect();
    let named = asked.iter().find_map(|one| one.as_object()?.keys().next());
    let answers = operation.get("responses").and_then(Value::as_object).into_iter().flatten();
    let streams = operation.pointer("/responses/200/content").and_then(|content| content.get("text/event-stream"));
    Operation {
        id: text(operation, "/operationId"),
        method: method.to_ascii_uppercase(),
        path,
        summary: text(operation, "/summary"),
        description: text(operation, "/description"),
        credentials: named.map_or("", String::as_str),
        optional: asked.iter().any(|one| one.as_object().is_some_and(serde_json::Map::is_empty)),
        parameters: operation
            .get("parameters")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(parameter)
            .collect(),
        body: body(operation, all),
        answers: answers
            .map(|(status, answer)| described(status, answer, all))
            .filter(|answer| !is_common(answer.status, answer))
            .collect(),
        streams: streams.is_some(),
    }
}

fn parameter(parameter: &Value) -> Field<'_> {
    Field {
        name: text(parameter, "/name"),
        place: text(parameter, "/in"),
        kind: parameter.get("schema").map(kind).unwrap_or_default(),
        required: parameter.get("required").and_then(Value::as_bool).unwrap_or(false),
        description: text(parameter, "/description"),
    }
}

fn body<'a>(operation: &'a Value, all: &'a Value) -> Option<RequestBody<'a>> {
    let body = operation.get("requestBody")?;
    let (media_type, content) = body.get("content")?.as_object()?.iter().next()?;
    let schema = content.get("schema")?;
    let choices = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let real = choices.map(|choice| resolve(choice, all)).find(|choice| kind(choice) == "object");
    let schema = real.unwrap_or_else(|| resolve(schema, all));
    let needed: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let fields = members.map(|(name, of)| Field {
        name,
        place: "body",
        kind: kind(resolve(of, all)),
        required: needed.contains(&name.as_str()),
        description: text(of, "/description"),
    });
    let required = body.get("required").and_then(Value::as_bool).unwrap_or(false);
    Some(RequestBody { media_type, required, fields: fields.collect(), sample: written(&sample(schema, all)) })
}

fn described<'a>(status: &'a str, answer: &'a Value, all: &'a Value) -> Described<'a> {
    let json = answer.get("content").and_then(|content| content.get("application/json"));
    let is_success = status.starts_with('2');
    let sample = json.and_then(|json| json.get("schema")).filter(|_| is_success).map(|schema| sample(schema, all));
    Described {
        status,
        description: text(answer, "/description"),
        code: json.map(|json| text(json, "/example/code")).unwrap_or_default(),
        sample: sample.filter(|sample| !sample.is_null()).map(|sample| written(&sample)),
    }
}

fn written(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The API to read and to try.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "description",
    operation_id = "docs",
    responses(
        (status = 200, description = "A page, in Spanish or English", body = String, content_type = "text/html"),
        (status = 404, description = "The settings have it off", body = crate::envelope::Failure),
    )
)]
pub(crate) async fn page(State(web): State<Web>, headers: HeaderMap) -> Result<Response, Problem> {
    if !web.settings().docs {
        return Err((&problem::NO_ROUTE).into());
    }
    let pages = PAGES.as_ref().map_err(|error| Trouble::Internal(format!("/docs cannot be made: {error}")));
    let [es, en] = pages?;
    let language = Language::of(&headers, web.0.app.settings.locale);
    Ok(html(language.pick(es, en).to_owned(), language))
}

/// Style and script of the page.
#[utoipa::path(
    get,
    path = "/docs/{file}",
    tag = "description",
    operation_id = "docs_file",
    params(("file" = String, Path, description = "`reference.css` or `reference.js`")),
    responses(
        (status = 200, description = "It", body = String, content_type = "text/css"),
        (status = 404, description = "No such file", body = crate::envelope::Failure),
    )
)]
pub(crate) async fn file(State(web): State<Web>, Path(file): Path<String>) -> Result<Response, Problem> {
    match (web.settings().docs, file.as_str()) {
        (true, "reference.css") => Ok(asset(STYLE, "text/css; charset=utf-8")),
        (true, "reference.js") => Ok(asset(SCRIPT, "text/javascript; charset=utf-8")),
        _ => Err((&problem::NO_ROUTE).into()),
    }
}
