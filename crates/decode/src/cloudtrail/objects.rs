//! Derives `dest`, `object` and `object_id`: what a call acted on.

use std::borrow::Cow;

use super::Values;
use super::identity::is_assume_role;
use super::inputs::{Input, Inputs};

pub(super) const DEST_INPUTS: &[Input] = &[
    Input::BucketHost,
    Input::BucketHostItem,
    Input::EventName,
    Input::EventSource,
    Input::InstanceItem,
    Input::InstanceItemCreated,
    Input::InstanceNamed,
    Input::LoginTo,
    Input::RequestUserName,
];

pub(super) const OBJECT_INPUTS: &[Input] = &[
    Input::BucketName,
    Input::CreatedUserName,
    Input::EventName,
    Input::FunctionName,
    Input::GroupIdCreated,
    Input::GroupIdNamed,
    Input::InstanceItem,
    Input::InstanceItemCreated,
    Input::LogGroup,
    Input::LogStream,
    Input::NetworkAcl,
    Input::NetworkAclCreated,
    Input::NetworkInterfaceCreated,
    Input::NetworkInterfaceNamed,
    Input::NewUserName,
    Input::QueueName,
    Input::RequestUserName,
    Input::StackName,
    Input::TableName,
    Input::VolumeCreated,
    Input::VolumeNamed,
];

/// Returns all values of the first input that has any.
fn first_list<'a>(inputs: &Inputs<'a>, candidates: &[Input]) -> Vec<Cow<'a, str>> {
    candidates.iter().map(|input| inputs.all(*input)).find(|l| !l.is_empty()).unwrap_or_default()
}

/// `dest`: the host or the instances that a call acted on; the service by default.
pub(super) fn dest<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    use Input::{
        BucketHost, BucketHostItem, EventSource, InstanceItem, InstanceItemCreated, InstanceNamed,
        LoginTo, RequestUserName,
    };
    let event_name = inputs.text(Input::EventName).unwrap_or_default();
    let candidates: &[Input] = match &*event_name {
        "PutBucketAcl" => &[BucketHost],
        "GetBucketEncryption" => &[BucketHostItem],
        "RunInstances" => &[InstanceItemCreated, EventSource],
        "StartInstances" => &[InstanceItem, EventSource],
        "StopInstances" | "TerminateInstances" | "RebootInstances" => &[InstanceItem],
        "DeleteLoginProfile" => &[RequestUserName],
        "ConsoleLogin" | "CheckMfa" | "ListAliases" => &[LoginTo, EventSource],
        name if is_assume_role(name) => &[LoginTo, EventSource],
        name if name.ends_with("Bucket") => &[BucketHostItem],
        name if name.ends_with("Volume") => &[InstanceNamed, EventSource],
        name if name.starts_with("PutBucket") || name.starts_with("PutObject") => {
            &[BucketHostItem, BucketHost, EventSource]
        }
        _ => &[EventSource],
    };
    first_list(inputs, candidates).into()
}

/// `dest` in version 7.0, which gives none for deleting an entry of a network ACL.
pub(super) fn dest_ta70<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    if inputs.is(Input::EventName, "DeleteNetworkAclEntry") { Values::None } else { dest(inputs) }
}

/// `object` and `object_id`: the name or id of the object that a call created, changed or deleted.
pub(super) fn object<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    use Input::{
        BucketName, CreatedUserName, FunctionName, GroupIdCreated, GroupIdNamed, InstanceItem,
        InstanceItemCreated, LogGroup, LogStream, NetworkAcl, NetworkAclCreated,
        NetworkInterfaceCreated, NetworkInterfaceNamed, NewUserName, QueueName, RequestUserName,
        StackName, TableName, VolumeCreated, VolumeNamed,
    };
    let event_name = inputs.text(Input::EventName).unwrap_or_default();
    let candidates: &[Input] = match &*event_name {
        "RunInstances" => &[InstanceItemCreated],
        "StartInstances" | "StopInstances" | "TerminateInstances" | "RebootInstances" => {
            &[InstanceItem]
        }
        "CreateVolume" => &[VolumeCreated],
        // The call names an entry by its number; the add-on gives no object for it.
        "DeleteNetworkAclEntry" => &[],
        "CreateUser" => &[CreatedUserName],
        "DeleteUser" | "DeleteLoginProfile" | "CreateLoginProfile" => &[RequestUserName],
        "UpdateUser" => &[NewUserName],
        "CreateStack" | "CreateChangeSet" => &[StackName],
        "CreateQueue" => &[QueueName],
        "CreateTable" => &[TableName],
        "CreateFunction20150331" => &[FunctionName],
        "CreateLogGroup" => &[LogGroup],
        "CreateLogStream" => &[LogStream],
        "CreateNetworkInterface" => &[NetworkInterfaceCreated],
        "DeleteNetworkInterface" => &[NetworkInterfaceNamed],
        "PutObject" => &[BucketName],
        name if name.contains("SecurityGroup") => &[GroupIdCreated, GroupIdNamed],
        name if name.ends_with("Volume") => &[VolumeNamed],
        name if name.contains("NetworkAcl") => &[NetworkAcl, NetworkAclCreated],
        name if name.contains("Bucket") => &[BucketName],
        _ => &[],
    };
    first_list(inputs, candidates).into()
}
