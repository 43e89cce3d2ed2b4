//! Derives the fields of rules of security groups and network ACLs: `direction`, `protocol`,
//! address and port ranges.

use std::borrow::Cow;

use super::Values;
use super::inputs::{Input, Inputs};

pub(super) const INPUTS: &[Input] = &[
    Input::AclFrom,
    Input::AclProtocol,
    Input::AclRuleAction,
    Input::AclTo,
    Input::CidrBlock,
    Input::Egress,
    Input::EventName,
    Input::PermissionCidr,
    Input::PermissionFrom,
    Input::PermissionProtocol,
    Input::PermissionTo,
];

/// The kind of rule that a call changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RuleOf {
    NetworkAcl,
    SecurityGroup,
}

fn rule_of(inputs: &Inputs<'_>) -> Option<(RuleOf, bool)> {
    let event_name = inputs.text(Input::EventName)?;
    match &*event_name {
        "CreateNetworkAclEntry" | "DeleteNetworkAclEntry" | "ReplaceNetworkAclEntry" => {
            let egress = inputs.text(Input::Egress)?;
            Some((RuleOf::NetworkAcl, egress != "true"))
        }
        "AuthorizeSecurityGroupIngress" | "RevokeSecurityGroupIngress" => {
            Some((RuleOf::SecurityGroup, true))
        }
        "AuthorizeSecurityGroupEgress" | "RevokeSecurityGroupEgress" => {
            Some((RuleOf::SecurityGroup, false))
        }
        _ => None,
    }
}

/// `direction`: `inbound` or `outbound`.
pub(super) fn direction<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let direction = |(_, is_inbound)| if is_inbound { "inbound" } else { "outbound" };
    rule_of(inputs).map(direction).into()
}

/// `rule_action`: whether an entry of a network ACL allows or denies traffic.
pub(super) fn rule_action<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    match rule_of(inputs) {
        Some((RuleOf::NetworkAcl, _)) => inputs.text(Input::AclRuleAction).into(),
        _ => Values::None,
    }
}

fn protocols<'a>(inputs: &Inputs<'a>) -> Vec<Cow<'a, str>> {
    match rule_of(inputs) {
        Some((RuleOf::NetworkAcl, _)) => inputs.all(Input::AclProtocol),
        Some((RuleOf::SecurityGroup, _)) => inputs.all(Input::PermissionProtocol),
        None => Vec::new(),
    }
}

/// IANA protocol numbers and their names; EC2 uses `-1` for all protocols.
const PROTOCOLS: [(&str, &str); 5] =
    [("-1", "all"), ("1", "icmp"), ("6", "tcp"), ("17", "udp"), ("58", "icmpv6")];

/// `protocol`: the name, for protocols with a usual name.
pub(super) fn protocol<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let name = |code: Cow<'a, str>| {
        let known = PROTOCOLS.iter().find(|(number, _)| *number == code);
        known.map_or(code, |(_, name)| Cow::Borrowed(*name))
    };
    protocols(inputs).into_iter().map(name).collect::<Vec<_>>().into()
}

/// `protocol_code`: the number.
pub(super) fn protocol_code<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let code = |name: Cow<'a, str>| {
        let known = PROTOCOLS.iter().find(|(_, known)| *known == name);
        known.map_or(name, |(number, _)| Cow::Borrowed(*number))
    };
    protocols(inputs).into_iter().map(code).collect::<Vec<_>>().into()
}

fn addresses<'a>(inputs: &Inputs<'a>, inbound: bool) -> Values<'a> {
    match rule_of(inputs) {
        Some((RuleOf::NetworkAcl, is_inbound)) if is_inbound == inbound => {
            inputs.all(Input::CidrBlock).into()
        }
        Some((RuleOf::SecurityGroup, is_inbound)) if is_inbound == inbound => {
            inputs.all(Input::PermissionCidr).into()
        }
        _ => Values::None,
    }
}

/// `src_ip_range`: the addresses that an inbound rule applies to.
pub(super) fn src_ip_range<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    addresses(inputs, true)
}

/// `dest_ip_range`: the addresses that an outbound rule applies to.
pub(super) fn dest_ip_range<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    addresses(inputs, false)
}

fn ports<'a>(inputs: &Inputs<'a>, inbound: bool) -> Values<'a> {
    let (from, to) = match rule_of(inputs) {
        Some((_, is_inbound)) if is_inbound != inbound => return Values::None,
        Some((RuleOf::NetworkAcl, _)) => (Input::AclFrom, Input::AclTo),
        Some((RuleOf::SecurityGroup, _)) => (Input::PermissionFrom, Input::PermissionTo),
        None => return Values::None,
    };
    let pairs = inputs.all(from).into_iter().zip(inputs.all(to));
    pairs.map(|(from, to)| Cow::Owned(format!("{from}-{to}"))).collect::<Vec<_>>().into()
}

/// `dest_port_range`: the ports that an inbound rule applies to.
pub(super) fn dest_port_range<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    ports(inputs, true)
}

/// `src_port_range`: the ports that an outbound rule applies to.
pub(super) fn src_port_range<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    ports(inputs, false)
}
