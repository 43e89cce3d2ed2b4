//! MITRE ATT&CK techniques with their tactics, and the kill chain phases of the tactics.
//!
//! The table contains the enterprise techniques that cloud detections use, with the tactics of
//! version 19. A sub-technique without its own entry has the tactics of its parent, and an unknown
//! technique has no tactics. A technique of earlier versions has the tactics of the one that replaced
//! it.

/// An ATT&CK tactic of the enterprise matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tactic {
    /// TA0043.
    Reconnaissance,
    /// TA0042.
    ResourceDevelopment,
    /// TA0001.
    InitialAccess,
    /// TA0002.
    Execution,
    /// TA0003.
    Persistence,
    /// TA0004.
    PrivilegeEscalation,
    /// TA0005, until version 19 of ATT&CK a part of Defense Evasion.
    Stealth,
    /// TA0112, until version 19 of ATT&CK a part of Defense Evasion.
    DefenseImpairment,
    /// TA0006.
    CredentialAccess,
    /// TA0007.
    Discovery,
    /// TA0008.
    LateralMovement,
    /// TA0009.
    Collection,
    /// TA0011.
    CommandAndControl,
    /// TA0010.
    Exfiltration,
    /// TA0040.
    Impact,
}

use Tactic::{
    Collection, CommandAndControl, CredentialAccess, DefenseImpairment, Discovery, Execution,
    Exfiltration, Impact, InitialAccess, LateralMovement, Persistence, PrivilegeEscalation,
    Reconnaissance, ResourceDevelopment, Stealth,
};

impl Tactic {
    /// Returns the name used in `annotations.mitre_attack.mitre_tactic`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reconnaissance => "reconnaissance",
            ResourceDevelopment => "resource-development",
            InitialAccess => "initial-access",
            Execution => "execution",
            Persistence => "persistence",
            PrivilegeEscalation => "privilege-escalation",
            Stealth => "stealth",
            DefenseImpairment => "defense-impairment",
            CredentialAccess => "credential-access",
            Discovery => "discovery",
            LateralMovement => "lateral-movement",
            Collection => "collection",
            CommandAndControl => "command-and-control",
            Exfiltration => "exfiltration",
            Impact => "impact",
        }
    }

    /// Returns the id, as in `annotations.mitre_attack.mitre_tactic_id`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Reconnaissance => "TA0043",
            ResourceDevelopment => "TA0042",
            InitialAccess => "TA0001",
            Execution => "TA0002",
            Persistence => "TA0003",
            PrivilegeEscalation => "TA0004",
            Stealth => "TA0005",
            DefenseImpairment => "TA0112",
            CredentialAccess => "TA0006",
            Discovery => "TA0007",
            LateralMovement => "TA0008",
            Collection => "TA0009",
            CommandAndControl => "TA0011",
            Exfiltration => "TA0010",
            Impact => "TA0040",
        }
    }

    /// Returns the name for people, such as `Credential Access`.
    #[must_use]
    pub fn title(self) -> String {
        let capital = |word: &str| match word {
            "and" => word.to_owned(),
            word => word[..1].to_uppercase() + &word[1..],
        };
        self.name().split('-').map(capital).collect::<Vec<_>>().join(" ")
    }

    /// Returns the kill chain phase, as named in content generated for Enterprise Security.
    #[must_use]
    pub fn kill_chain_phase(self) -> &'static str {
        match self {
            Reconnaissance => "Reconnaissance",
            ResourceDevelopment => "Weaponization",
            InitialAccess => "Delivery",
            Execution | Persistence => "Installation",
            PrivilegeEscalation | Stealth | DefenseImpairment | CredentialAccess | Discovery
            | LateralMovement | Collection => "Exploitation",
            CommandAndControl => "Command and Control",
            Exfiltration | Impact => "Actions on Objectives",
        }
    }
}

/// Returns the tactics of a technique such as `T1537` or `T1562.008`; empty if it is unknown.
#[must_use]
pub fn tactics(technique: &str) -> &'static [Tactic] {
    let row = |id: &str| {
        TECHNIQUES.binary_search_by_key(&id, |row| row.0).ok().map(|index| TECHNIQUES[index].1)
    };
    let parent = technique.split('.').next().unwrap_or(technique);
    row(technique).or_else(|| row(parent)).unwrap_or_default()
}

/// Returns the technique that has replaced this one; `None` if it is in use or unknown.
#[must_use]
pub fn replacement(technique: &str) -> Option<&'static str> {
    let index = REPLACED.binary_search_by_key(&technique, |row| row.0).ok()?;
    Some(REPLACED[index].1)
}

/// Returns the name of a technique such as `T1537` or of a sub-technique such as `T1562.008`; `None`
/// if it is unknown.
#[must_use]
pub fn name(technique: &str) -> Option<&'static str> {
    let rows = NAMES.lines().filter_map(|line| line.split_once(','));
    rows.into_iter().find_map(|(id, name)| (id == technique).then_some(name))
}

/// Returns a technique for people: its id, name and tactics, as far as they are known, such as
/// `T1537 Transfer Data to Cloud Account (Exfiltration)`.
#[must_use]
pub fn described(technique: &str) -> String {
    let tactics: Vec<String> = tactics(technique).iter().map(|tactic| tactic.title()).collect();
    let mut text = technique.to_owned();
    if let Some(name) = name(technique) {
        text = format!("{text} {name}");
    }
    if !tactics.is_empty() {
        text = format!("{text} ({})", tactics.join(", "));
    }
    text
}

/// Returns the kill chain phases of the techniques, without duplicates and sorted by name.
#[must_use]
pub fn kill_chain_phases<T: AsRef<str>>(techniques: &[T]) -> Vec<String> {
    let mut phases: Vec<String> = techniques
        .iter()
        .flat_map(|technique| tactics(technique.as_ref()))
        .map(|tactic| tactic.kill_chain_phase().to_owned())
        .collect();
    phases.sort();
    phases.dedup();
    phases
}

/// Lines of `id,name`, after comments.
const NAMES: &str = include_str!("techniques.csv");

const ACCOUNTS: &[Tactic] = &[Stealth, Persistence, PrivilegeEscalation, InitialAccess];
const STARTUP: &[Tactic] = &[Persistence, PrivilegeEscalation];

/// The techniques, sorted by id.
static TECHNIQUES: &[(&str, &[Tactic])] = &[
    ("T1005", &[Collection]),
    ("T1007", &[Discovery]),
    ("T1008", &[CommandAndControl]),
    ("T1011", &[Exfiltration]),
    ("T1016", &[Discovery]),
    ("T1018", &[Discovery]),
    ("T1020", &[Exfiltration]),
    ("T1021", &[LateralMovement]),
    ("T1027", &[Stealth]),
    ("T1029", &[Exfiltration]),
    ("T1030", &[Exfiltration]),
    ("T1033", &[Discovery]),
    ("T1036", &[Stealth]),
    ("T1039", &[Collection]),
    ("T1040", &[CredentialAccess, Discovery]),
    ("T1041", &[Exfiltration]),
    ("T1046", &[Discovery]),
    ("T1048", &[Exfiltration]),
    ("T1049", &[Discovery]),
    ("T1052", &[Exfiltration]),
    ("T1053", &[Execution, Persistence, PrivilegeEscalation]),
    ("T1057", &[Discovery]),
    ("T1059", &[Execution]),
    ("T1068", &[PrivilegeEscalation]),
    ("T1069", &[Discovery]),
    ("T1070", &[Stealth]),
    ("T1070.001", &[DefenseImpairment]),
    ("T1070.002", &[DefenseImpairment]),
    ("T1071", &[CommandAndControl]),
    ("T1072", &[Execution, LateralMovement]),
    ("T1074", &[Collection]),
    ("T1078", ACCOUNTS),
    ("T1080", &[LateralMovement]),
    ("T1082", &[Discovery]),
    ("T1083", &[Discovery]),
    ("T1087", &[Discovery]),
    ("T1090", &[CommandAndControl]),
    ("T1095", &[CommandAndControl]),
    ("T1098", STARTUP),
    ("T1102", &[CommandAndControl]),
    ("T1105", &[CommandAndControl]),
    ("T1106", &[Execution]),
    ("T1110", &[CredentialAccess]),
    ("T1111", &[CredentialAccess]),
    ("T1114", &[Collection]),
    ("T1119", &[Collection]),
    ("T1132", &[CommandAndControl]),
    ("T1133", &[Persistence, InitialAccess]),
    ("T1134", &[PrivilegeEscalation, Stealth]),
    ("T1135", &[Discovery]),
    ("T1136", &[Persistence]),
    ("T1185", &[Collection]),
    ("T1187", &[CredentialAccess]),
    ("T1189", &[InitialAccess]),
    ("T1190", &[InitialAccess]),
    ("T1195", &[InitialAccess]),
    ("T1199", &[InitialAccess]),
    ("T1200", &[InitialAccess]),
    ("T1201", &[Discovery]),
    ("T1203", &[Execution]),
    ("T1204", &[Execution]),
    ("T1207", &[DefenseImpairment]),
    ("T1210", &[LateralMovement]),
    ("T1211", &[Stealth]),
    ("T1212", &[CredentialAccess]),
    ("T1213", &[Collection]),
    ("T1217", &[Discovery]),
    ("T1219", &[CommandAndControl]),
    ("T1222", &[DefenseImpairment]),
    ("T1480", &[Stealth]),
    ("T1482", &[Discovery]),
    ("T1484", &[PrivilegeEscalation, DefenseImpairment]),
    ("T1485", &[Impact]),
    ("T1486", &[Impact]),
    ("T1489", &[Impact]),
    ("T1490", &[Impact]),
    ("T1491", &[Impact]),
    ("T1495", &[Impact]),
    ("T1496", &[Impact]),
    ("T1498", &[Impact]),
    ("T1499", &[Impact]),
    ("T1505", &[Persistence]),
    ("T1518", &[Discovery]),
    ("T1525", &[Persistence]),
    ("T1526", &[Discovery]),
    ("T1528", &[CredentialAccess]),
    ("T1529", &[Impact]),
    ("T1530", &[Collection]),
    ("T1531", &[Impact]),
    ("T1534", &[LateralMovement]),
    ("T1535", &[Stealth]),
    ("T1537", &[Exfiltration]),
    ("T1538", &[Discovery]),
    ("T1539", &[CredentialAccess]),
    ("T1543", STARTUP),
    ("T1546", STARTUP),
    ("T1548", &[PrivilegeEscalation]),
    ("T1550", &[LateralMovement]),
    ("T1552", &[CredentialAccess]),
    ("T1553", &[DefenseImpairment]),
    ("T1554", &[Persistence]),
    ("T1555", &[CredentialAccess]),
    ("T1556", &[CredentialAccess, DefenseImpairment, Persistence]),
    ("T1557", &[CredentialAccess, Collection]),
    ("T1560", &[Collection]),
    ("T1561", &[Impact]),
    ("T1562", &[DefenseImpairment]),
    ("T1563", &[LateralMovement]),
    ("T1564", &[Stealth]),
    ("T1565", &[Impact]),
    ("T1566", &[InitialAccess]),
    ("T1567", &[Exfiltration]),
    ("T1568", &[CommandAndControl]),
    ("T1569", &[Execution]),
    ("T1570", &[LateralMovement]),
    ("T1571", &[CommandAndControl]),
    ("T1572", &[CommandAndControl]),
    ("T1573", &[CommandAndControl]),
    ("T1574", &[Execution, Persistence, PrivilegeEscalation, Stealth]),
    ("T1578", &[DefenseImpairment]),
    ("T1580", &[Discovery]),
    ("T1583", &[ResourceDevelopment]),
    ("T1584", &[ResourceDevelopment]),
    ("T1585", &[ResourceDevelopment]),
    ("T1586", &[ResourceDevelopment]),
    ("T1587", &[ResourceDevelopment]),
    ("T1588", &[ResourceDevelopment]),
    ("T1589", &[Reconnaissance]),
    ("T1590", &[Reconnaissance]),
    ("T1591", &[Reconnaissance]),
    ("T1592", &[Reconnaissance]),
    ("T1593", &[Reconnaissance]),
    ("T1594", &[Reconnaissance]),
    ("T1595", &[Reconnaissance]),
    ("T1596", &[Reconnaissance]),
    ("T1597", &[Reconnaissance]),
    ("T1598", &[Reconnaissance]),
    ("T1599", &[DefenseImpairment]),
    ("T1600", &[DefenseImpairment]),
    ("T1601", &[DefenseImpairment]),
    ("T1602", &[Collection]),
    ("T1606", &[CredentialAccess]),
    ("T1608", &[ResourceDevelopment]),
    ("T1609", &[Execution]),
    ("T1610", &[Stealth, Execution]),
    ("T1611", &[PrivilegeEscalation]),
    ("T1612", &[Stealth]),
    ("T1613", &[Discovery]),
    ("T1614", &[Discovery]),
    ("T1619", &[Discovery]),
    ("T1621", &[CredentialAccess]),
    ("T1648", &[Execution]),
    ("T1649", &[CredentialAccess]),
    ("T1651", &[Execution]),
    ("T1654", &[Discovery]),
    ("T1666", &[DefenseImpairment]),
    ("T1685", &[DefenseImpairment]),
    ("T1686", &[DefenseImpairment]),
    ("T1687", &[DefenseImpairment]),
    ("T1688", &[DefenseImpairment]),
    ("T1689", &[DefenseImpairment]),
    ("T1690", &[DefenseImpairment]),
];

/// Techniques that version 19 of ATT&CK has replaced by others, sorted by id. Content of earlier years
/// has these ids.
static REPLACED: &[(&str, &str)] = &[
    ("T1070.001", "T1685.005"),
    ("T1070.002", "T1685.006"),
    ("T1562", "T1685"),
    ("T1562.001", "T1685"),
    ("T1562.002", "T1685.001"),
    ("T1562.003", "T1690"),
    ("T1562.004", "T1686"),
    ("T1562.006", "T1685"),
    ("T1562.007", "T1686.001"),
    ("T1562.008", "T1685.002"),
    ("T1562.009", "T1688"),
    ("T1562.010", "T1689"),
    ("T1562.011", "T1685.003"),
    ("T1562.012", "T1685.004"),
    ("T1562.013", "T1686.002"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_knows_sub_techniques() {
        assert!(TECHNIQUES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(REPLACED.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(tactics("T1537"), [Exfiltration]);
        for technique in ["T1562.008", "T1685", "T1685.002", "T1686.001", "T1070.001"] {
            assert_eq!(tactics(technique), [DefenseImpairment], "{technique}");
        }
        assert_eq!(tactics("T1070.004"), [Stealth]);
        assert_eq!(tactics("T9999"), []);
    }

    #[test]
    fn techniques_have_names() {
        for (technique, shown) in [
            ("T1537", "T1537 Transfer Data to Cloud Account (Exfiltration)"),
            ("T1562.008", "T1562.008 Disable or Modify Cloud Logs (Defense Impairment)"),
            ("T1562.999", "T1562.999 (Defense Impairment)"),
            ("T1685.002", "T1685.002 Disable or Modify Cloud Log (Defense Impairment)"),
            ("T1686", "T1686 Disable or Modify System Firewall (Defense Impairment)"),
            ("T9999", "T9999"),
        ] {
            assert_eq!(described(technique), shown);
        }
        for (technique, _) in TECHNIQUES {
            assert!(name(technique).is_some(), "{technique} has no name");
        }
    }

    #[test]
    fn what_replaced_a_technique_has_the_same_tactics() {
        for (old, new) in REPLACED {
            assert_eq!(replacement(old), Some(*new));
            assert_eq!(tactics(old), tactics(new), "{old}");
            assert!(name(new).is_some(), "{new} has no name");
            assert_eq!(replacement(new), None);
        }
        assert_eq!(replacement("T1537"), None);
    }

    #[test]
    fn phases_follow_from_tactics() {
        assert_eq!(
            kill_chain_phases(&["T1537", "T1119"]),
            ["Actions on Objectives", "Exploitation"]
        );
        assert_eq!(kill_chain_phases(&["T1078.004"]), ["Delivery", "Exploitation", "Installation"]);
        assert!(kill_chain_phases::<&str>(&[]).is_empty());
    }
}
