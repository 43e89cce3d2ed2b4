//! Who is there: accounts, their identities of every kind, buckets and keys.

use serde_json::{Value, json};

use crate::random::{Random, Weights};

/// Regions with their share of the calls.
pub(super) const REGIONS: [(&str, u64); 3] =
    [("eu-central-1", 60), ("us-east-1", 30), ("ap-northeast-1", 10)];

/// An account and all that is in it.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) people: Vec<Person>,
    pub(super) weights: Weights,
    pub(super) buckets: Vec<String>,
    pub(super) keys: Vec<String>,
}

/// An identity: a person, a role's session, a service.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) arn: Option<String>,
    pub(super) principal: Option<String>,
    /// `userIdentity` as JSON; several where sessions differ in their keys.
    pub(super) identities: Vec<String>,
    pub(super) addresses: Vec<String>,
    pub(super) agents: Vec<Agent>,
    weight: u64,
}

/// A user agent, and the same as a JSON string.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) text: String,
    pub(super) json: String,
}

impl Agent {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), json: Value::from(text).to_string() }
    }
}

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const CONSOLE: &str = "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.770 Linux/5.10.224 OpenJDK_64-Bit_Server_VM/25.422 vendor/Oracle_Corporation]";
const CLI: &str = "aws-cli/2.22.7 md/awscrt#0.23.4 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.6 md/pyimpl#CPython cfg/retry-mode#standard md/command#s3.ls";
const PYTHON: &str = "Boto3/1.35.71 md/Botocore#1.35.71 ua/2.0 os/linux#6.1.112 md/arch#aarch64 lang/python#3.12.7 exec-env/AWS_ECS_FARGATE";
const JAVA: &str = "aws-sdk-java/2.29.20 Linux/6.1.112 OpenJDK_64-Bit_Server_VM/21.0.5 vendor/Eclipse_Adoptium io/sync http/Apache";
const GO: &str =
    "aws-sdk-go-v2/1.32.5 os/linux lang/go#1.23.3 md/GOOS#linux md/GOARCH#arm64 api/s3#1.67.1";
const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-aws/5.78.0 aws-sdk-go-v2/1.32.5 os/linux lang/go#1.23.3";
/// Quotes and letters beyond ASCII: what is cheap to read must be read right as well.
const ODD: &str = "crawler/2.0 (\"nightly\"; läuft; c:\\jobs)";

/// The name of whoever reads in bursts; nobody else has it.
pub(super) const THIEF: &str = "former-contractor";
/// The name of whoever creates tasks and shares images.
pub(super) const INSIDER: &str = "data-platform";

const SERVICES: [&str; 6] = ["autoscaling", "config", "rds", "ecs", "lambda", "eks"];

/// Makes the accounts of a seed.
pub(super) fn accounts(seed: u64) -> Vec<Account> {
    (0..2).map(|number| account(seed, number)).collect()
}

fn account(seed: u64, number: u64) -> Account {
    let mut random = Random::new(seed, "account", number);
    let id = format!("{}", 100_000_000_000 + random.below(900_000_000_000));
    let mut people = Vec::new();
    let mut maker = Maker { id: &id, random: &mut random };
    let names = ["amara", "bela", "carlos", "dagny", "emre", "fatou", "goran", "hana"];
    for (rank, name) in names.into_iter().enumerate() {
        people.push(maker.user(name, 40 / (rank as u64 + 2), &[BROWSER, CONSOLE, CLI], 2));
    }
    for (rank, name) in ["backup", "etl", "metrics", "ci-runner", INSIDER].into_iter().enumerate() {
        people.push(maker.user(name, 120 / (rank as u64 + 2), &[PYTHON, TERRAFORM], 1));
    }
    let roles =
        ["web", "orders", "etl", "node", "shipper", "science", "payments", "stock", "mail", "ml"];
    for (rank, role) in roles.into_iter().enumerate() {
        for _ in 0..6 {
            let session = format!("i-{}", maker.random.hex(17));
            let weight = 150 / (rank as u64 + 2);
            people.push(maker.session(role, &session, weight, &[JAVA, PYTHON, GO]));
        }
    }
    for role in ["AWSReservedSSO_Administrator_7d1e0c", "AWSReservedSSO_ReadOnly_0b9f3a", "deploy"]
    {
        for name in ["amara", "carlos", "hana"] {
            let session = format!("{name}@example.com");
            people.push(maker.session(role, &session, 12, &[BROWSER, CLI, ODD]));
        }
    }
    for service in SERVICES {
        people.push(maker.service(service, 110));
    }
    people.push(maker.other("AWSAccount", 20));
    people.push(maker.other("WebIdentityUser", 8));
    people.push(maker.other("SAMLUser", 4));
    people.push(maker.federated(6));
    people.push(maker.root(1));
    people.push(maker.user(THIEF, 0, &[CLI], 1));
    let words = ["assets", "raw", "exports", "billing", "features", "backups", "audit", "web"];
    let buckets = words.iter().map(|word| format!("example-{word}-{}", random.hex(6))).collect();
    let mut uuid = || {
        let mut text = String::new();
        random.push_uuid(&mut text);
        text
    };
    let keys = (0..6).map(|_| uuid()).collect();
    let weights = Weights::new(people.iter().map(|person| person.weight));
    Account { id, people, weights, buckets, keys }
}

struct Maker<'a> {
    id: &'a str,
    random: &'a mut Random,
}

impl Maker<'_> {
    /// Addresses are from ranges that belong to documentation or to nobody.
    fn addresses(&mut self, count: usize) -> Vec<String> {
        let mut addresses = Vec::new();
        while addresses.len() < count {
            let last = self.random.below(254) + 1;
            let address = if self.random.chance(5000) {
                let network = self.random.pick(&["192.0.2", "198.51.100", "203.0.113"]);
                format!("{network}.{last}")
            } else {
                format!("10.{}.{}.{last}", self.random.below(256), self.random.below(256))
            };
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    fn person(
        &mut self,
        kind: &'static str,
        name: &str,
        (arn, principal): (Option<String>, Option<String>),
        identities: Vec<Value>,
        (weight, agents, addresses): (u64, &[&str], usize),
    ) -> Person {
        Person {
            kind,
            name: name.to_owned(),
            arn,
            principal,
            identities: identities.iter().map(Value::to_string).collect(),
            addresses: self.addresses(addresses),
            agents: agents.iter().map(|agent| Agent::new(agent)).collect(),
            weight,
        }
    }

    fn user(&mut self, name: &str, weight: u64, agents: &[&str], addresses: usize) -> Person {
        let id = self.id;
        let principal = format!("AIDA{}", self.random.upper(17));
        let arn = format!("arn:aws:iam::{id}:user/{name}");
        let identities = (0..2)
            .map(|_| {
                json!({
                    "type": "IAMUser", "principalId": principal, "arn": arn, "accountId": id,
                    "accessKeyId": format!("AKIA{}", self.random.upper(16)), "userName": name,
                })
            })
            .collect();
        let ids = (Some(arn), Some(principal));
        self.person("IAMUser", name, ids, identities, (weight, agents, addresses))
    }

    fn session(&mut self, role: &str, session: &str, weight: u64, agents: &[&str]) -> Person {
        let id = self.id;
        let role_id = format!("AROA{}", self.random.upper(17));
        let principal = format!("{role_id}:{session}");
        let arn = format!("arn:aws:sts::{id}:assumed-role/{role}/{session}");
        let identities = (0..3)
            .map(|_| {
                json!({
                    "type": "AssumedRole", "principalId": principal, "arn": arn, "accountId": id,
                    "accessKeyId": format!("ASIA{}", self.random.upper(16)),
                    "sessionContext": {
                        "sessionIssuer": {
                            "type": "Role", "principalId": role_id,
                            "arn": format!("arn:aws:iam::{id}:role/{role}"),
                            "accountId": id, "userName": role,
                        },
                        "attributes": {
                            "creationDate": format!("2026-03-01T{:02}:{:02}:09Z", self.random.below(24), self.random.below(60)),
                            "mfaAuthenticated": "false",
                        },
                    },
                })
            })
            .collect();
        let ids = (Some(arn), Some(principal));
        self.person("AssumedRole", role, ids, identities, (weight, agents, 1))
    }

    /// A service has neither an ARN nor a principal, so that groups by them do not have it.
    fn service(&mut self, name: &str, weight: u64) -> Person {
        let host = format!("{name}.amazonaws.com");
        let identity = json!({ "type": "AWSService", "invokedBy": host });
        let mut person =
            self.person("AWSService", name, (None, None), vec![identity], (weight, &[&host], 0));
        person.addresses.push(host);
        person
    }

    /// Identities with a principal but without an ARN.
    fn other(&mut self, kind: &'static str, weight: u64) -> Person {
        let id = self.id;
        let provider = format!("arn:aws:iam::{id}:oidc-provider/token.example.net");
        let (principal, identity) = match kind {
            "AWSAccount" => {
                let principal = format!("AIDA{}", self.random.upper(17));
                let owner = format!("{}", 100_000_000_000 + self.random.below(900_000_000_000));
                let identity =
                    json!({ "type": kind, "principalId": principal, "accountId": owner });
                (principal, identity)
            }
            kind => {
                let name = "repo:example/shop:ref:refs/heads/main";
                let principal = format!("{provider}:sub:{name}");
                let identity = json!({
                    "type": kind, "principalId": principal, "userName": name,
                    "identityProvider": provider,
                });
                (principal, identity)
            }
        };
        let ids = (None, Some(principal));
        self.person(kind, kind, ids, vec![identity], (weight, &[GO], 1))
    }

    fn federated(&mut self, weight: u64) -> Person {
        let id = self.id;
        let principal = format!("{id}:feed");
        let arn = format!("arn:aws:sts::{id}:federated-user/feed");
        let identity = json!({
            "type": "FederatedUser", "principalId": principal, "arn": arn, "accountId": id,
            "accessKeyId": format!("ASIA{}", self.random.upper(16)),
        });
        let ids = (Some(arn), Some(principal));
        self.person("FederatedUser", "feed", ids, vec![identity], (weight, &[JAVA], 1))
    }

    fn root(&mut self, weight: u64) -> Person {
        let id = self.id;
        let arn = format!("arn:aws:iam::{id}:root");
        let identity = json!({
            "type": "Root", "principalId": id, "arn": arn, "accountId": id, "accessKeyId": "",
        });
        let ids = (Some(arn), Some(id.to_owned()));
        self.person("Root", "root", ids, vec![identity], (weight, &[BROWSER], 1))
    }
}
