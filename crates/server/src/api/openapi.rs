//! The document that describes the API, made from the table of operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, ParameterStyle,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type as JsonType};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HeaderBuilder, InfoBuilder, OpenApiBuilder, PathItem,
    PathsBuilder, RefOr, Required, ResponseBuilder, Schema,
};

use super::Api;
use super::dispatch::WHO;
use super::errors::ErrorBody;
use super::operation::{
    Access, Answer, Answering, Body, Content, Kind, Method, Operation, Parameter, Place, Type,
    Types,
};
use super::request::Asked;

/// The name of the way in which a token is shown.
const BEARER: &str = "token";

pub(super) const OPERATIONS: &[Operation] = &[Operation {
    tag: "server",
    summary: "Describe this API",
    ..Operation::get("/api/v1/openapi.json", "describe", Content::AnyJson, describe)
}];

fn describe(api: Arc<Api>, _: Asked) -> Answering {
    Box::pin(async move { Ok(Answer { status: None, body: Body::Json(api.document.clone()) }) })
}

/// Describes operations as JSON.
pub(super) fn document(operations: &[&Operation]) -> String {
    let mut types = Types::new();
    let error = Type::of::<ErrorBody>().0(&mut types);
    let mut paths = PathsBuilder::new();
    for operation in operations {
        let item = PathItem::new(method(operation.method), of(operation, &error, &mut types));
        paths = paths.path(operation.path, item);
    }
    let types: BTreeMap<String, RefOr<Schema>> = types.into_iter().collect();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(types)
        .security_scheme(BEARER, SecurityScheme::Http(scheme))
        .build();
    let about = "Findings, schedules and searches of a server. Times are seconds since 1970.";
    let info = InfoBuilder::new()
        .title("Spilltrail")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about))
        .build();
    let document =
        OpenApiBuilder::new().info(info).paths(paths.build()).components(Some(components)).build();
    document.to_json().expect("a description is JSON")
}

fn of(
    operation: &Operation,
    error: &RefOr<Schema>,
    types: &mut Types,
) -> utoipa::openapi::path::Operation {
    let mut built = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .tag(operation.tag)
        .summary(Some(operation.summary));
    if operation.access != Access::Open {
        let none: [String; 0] = [];
        built = built.security(SecurityRequirement::new(BEARER, none));
    }
    for found in operation.parameters {
        built = built.parameter(parameter(found));
    }
    if operation.method.changes() {
        let about = "Who asks. It is believed, and is told in histories; `api` if it is missing.";
        built = built.parameter(
            ParameterBuilder::new()
                .name(WHO)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(about))
                .schema(Some(text())),
        );
    }
    if let Some(body) = operation.body {
        let content = ContentBuilder::new().schema(Some(body.0(types))).build();
        let body = RequestBodyBuilder::new()
            .content("application/json", content)
            .required(Some(Required::True));
        built = built.request_body(Some(body.build()));
    }
    let (status, content) = operation.success;
    let response = ResponseBuilder::new().description("success");
    let response = match content {
        Content::Empty => response,
        Content::Json(body) => response.content("application/json", json(body.0(types))),
        Content::AnyJson => {
            response.content("application/json", json(ObjectBuilder::new().build().into()))
        }
        Content::Text => response.content("text/plain", json(text().into())),
    };
    built = built.response(status.to_string(), response.build());
    let mut errors: BTreeMap<u16, (Vec<String>, bool)> = BTreeMap::new();
    for code in operation.all_errors() {
        let (name, status, about) = code.parts();
        let (abouts, is_retried) = errors.entry(status).or_default();
        abouts.push(format!("`{name}`: {about}"));
        *is_retried |= code.retry_after().is_some();
    }
    if let Some((status, body)) = operation.also {
        let response = ResponseBuilder::new().description("not now");
        let response = response.content("application/json", json(body.0(types)));
        built = built.response(status.to_string(), response.build());
        errors.remove(&status);
    }
    for (status, (mut about, is_retried)) in errors {
        about.dedup();
        let mut response = ResponseBuilder::new()
            .description(about.join("; "))
            .content("application/json", json(error.clone()));
        if is_retried {
            let seconds = ObjectBuilder::new().schema_type(SchemaType::Type(JsonType::Integer));
            let about = "After how many seconds the request may be sent again.";
            let header = HeaderBuilder::new().schema(Some(seconds)).description(Some(about));
            response = response.header("Retry-After", header.build());
        }
        built = built.response(status.to_string(), response.build());
    }
    built.build()
}

fn json(schema: RefOr<Schema>) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(JsonType::String)
}

fn parameter(parameter: &Parameter) -> ParameterBuilder {
    let (place, required) = match parameter.place {
        Place::Path => (ParameterIn::Path, Required::True),
        Place::Query => (ParameterIn::Query, Required::False),
    };
    let object = |kind: JsonType| ObjectBuilder::new().schema_type(SchemaType::Type(kind));
    let schema = match parameter.kind {
        Kind::Text(most) => text().min_length(Some(1)).max_length(Some(most)),
        Kind::Number(least, most) => {
            object(JsonType::Integer).minimum(Some(least as f64)).maximum(Some(most as f64))
        }
        Kind::Time => object(JsonType::Integer),
        Kind::Score => object(JsonType::Number),
        Kind::Choice(words) => text().enum_values(Some(words.iter().copied())),
        Kind::Choices(words) => {
            let word = text().enum_values(Some(words.iter().copied()));
            let list = ArrayBuilder::new().items(word).min_items(Some(1)).build();
            // The words are one text, with commas between them.
            return parameter_of(parameter, place, required)
                .schema(Some(list))
                .style(Some(ParameterStyle::Form))
                .explode(Some(false));
        }
        Kind::Flag => object(JsonType::Boolean),
    };
    parameter_of(parameter, place, required).schema(Some(schema))
}

fn parameter_of(parameter: &Parameter, place: ParameterIn, required: Required) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(place)
        .required(required)
        .description(Some(parameter.about))
}

const fn method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Post => HttpMethod::Post,
        Method::Patch => HttpMethod::Patch,
        Method::Put => HttpMethod::Put,
        Method::Delete => HttpMethod::Delete,
    }
}
