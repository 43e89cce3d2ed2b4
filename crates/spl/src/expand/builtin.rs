//! Defines the macros of Splunk's Common Information Model and content apps.

use super::definition::MacroDefinition;

/// The data models that have a macro `cim_<model>_indexes`, which may limit their events to some
/// indexes.
const DATA_MODELS: &[&str] = &[
    "Alerts",
    "Application_State",
    "Authentication",
    "Certificates",
    "Change",
    "Change_Analysis",
    "Compute_Inventory",
    "DLP",
    "Data_Access",
    "Databases",
    "Email",
    "Endpoint",
    "Event_Signatures",
    "Interprocess_Messaging",
    "Intrusion_Detection",
    "JVM",
    "Malware",
    "Network_Resolution",
    "Network_Sessions",
    "Network_Traffic",
    "Performance",
    "Splunk_Audit",
    "Ticket_Management",
    "Updates",
    "Vulnerabilities",
    "Web",
];

/// The name, argument names and text of each macro.
const MACROS: &[(&str, &[&str], &str)] = &[
    // A data model names its fields `Model.field`; later commands use the names without the prefix.
    ("drop_dm_object_name", &["object_name"], "rename $object_name$.* as *"),
    // Data models have no accelerated summaries here; they are evaluated over the events.
    ("summariesonly_config", &[], "false"),
    ("oldsummaries_config", &[], "true"),
    ("fillnull_config", &[], "null"),
    (
        "security_content_summariesonly",
        &[],
        "summariesonly=`summariesonly_config` allow_old_summaries=`oldsummaries_config` fillnull_value=`fillnull_config`",
    ),
    (
        "security_content_ctime",
        &["field"],
        "convert timeformat=\"%Y-%m-%dT%H:%M:%S\" ctime($field$)",
    ),
    ("cloudtrail", &[], "sourcetype=aws:cloudtrail"),
    // A remark: its text is dropped.
    ("comment", &["text"], ""),
    // Asset and domain lists are lookups, which warn when they have no data.
    ("get_asset", &["field"], "lookup update=true asset_lookup_by_str asset as $field$"),
    (
        "cim_corporate_web_domain_search",
        &["field"],
        "[| inputlookup cim_corporate_web_domain_lookup | rename domain as \"$field$\" | fields \"$field$\"]",
    ),
    (
        "cim_corporate_email_domain_search",
        &["field"],
        "[| inputlookup cim_corporate_email_domain_lookup | rename domain as \"$field$\" | fields \"$field$\"]",
    ),
];

pub(super) fn definitions() -> impl Iterator<Item = MacroDefinition> {
    // `()` is a search that matches everything.
    let indexes =
        DATA_MODELS.iter().map(|model| definition(&format!("cim_{model}_indexes"), &[], "()"));
    MACROS.iter().map(|(name, arguments, text)| definition(name, arguments, text)).chain(indexes)
}

fn definition(name: &str, arguments: &[&str], text: &str) -> MacroDefinition {
    MacroDefinition {
        name: name.to_owned(),
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        definition: text.to_owned(),
        is_eval: false,
        validation: None,
        error_message: None,
        origin: "built-in".to_owned(),
    }
}
