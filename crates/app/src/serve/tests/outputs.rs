//! What is found and withdrawn is told to outputs: each once, in order, and whatever the others do.

use super::*;

/// Outputs that write to files in the folder of a simulation.
struct Files {
    simulation: Simulation,
    outputs: Vec<spilltrail_deliver::Output>,
}

impl Files {
    async fn new(names: &[&str]) -> Self {
        let simulation = Simulation::new().await;
        let of = |name: &&str| {
            let path = simulation.folder.path().join(name);
            let output = serde_json::json!({ "name": name, "file": { "path": path } });
            serde_json::from_value(output).unwrap()
        };
        let outputs = names.iter().map(of).collect();
        Self { simulation, outputs }
    }

    /// Queues and delivers until nothing is due.
    async fn deliver(&self) {
        let runner = &self.simulation.server.runner;
        let options = ServeOptions { outputs: self.outputs.clone(), ..runner.options.clone() };
        let runner = Arc::new(Runner {
            priorities: Arc::default(),
            told: std::sync::Mutex::default(),
            options,
            folder: runner.folder.clone(),
            store: runner.store.clone(),
            wal: runner.wal.clone(),
            sink: runner.sink.clone(),
            cancel: runner.cancel.clone(),
        });
        let clients = Clients::new(|_| None, ClientLimits::default()).unwrap();
        let outputs = Outputs { runner, clients: Arc::new(clients) };
        outputs.queue(now()).await.unwrap();
        for output in self.outputs.iter().filter(|output| output.enabled) {
            // Of each finding one at a time is due.
            for _ in 0..4 {
                assert!(!outputs.deliver(output, now()).await.unwrap());
            }
        }
    }

    /// Returns the states and titles that an output was told, in order.
    fn told(&self, name: &str) -> Vec<String> {
        let path = self.simulation.folder.path().join(name);
        let text = fs::read_to_string(path).unwrap_or_default();
        let of = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", line["state"].as_str().unwrap(), line["title"].as_str().unwrap())
        };
        text.lines().map(of).collect()
    }

    async fn tick(&mut self, minutes: i64) {
        self.simulation.move_all().await;
        self.simulation.scheduler.tick(START.plus(minutes * 60)).await.unwrap();
    }

    /// Takes back what the detection has found: its file finds nothing any more, and events are late.
    async fn withdraw(&mut self, minutes: i64) {
        let file = self.simulation.folder.path().join("content/detections/keys_made.yml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("eventName=CreateAccessKey", "eventName=Nothing")).unwrap();
        let runner = self.simulation.server.runner.clone();
        let now = START.plus(minutes * 60);
        let loaded = load(&runner.options).unwrap();
        self.simulation.scheduler.reload(loaded, now).await.unwrap();
        self.simulation.arrive("ann", &[START.plus(HOUR / 4)]).await;
        self.tick(minutes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_go_to_outputs_once_and_are_withdrawn_there() {
    let mut files = Files::new(&["alerts"]).await;
    files.deliver().await;
    files.simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    files.tick(120).await;
    files.deliver().await;
    files.deliver().await;
    assert_eq!(files.told("alerts"), ["new Keys Made"]);
    // A late event changes what was found, and it is told in place of that.
    files.simulation.arrive("ann", &[START.plus(HOUR / 3)]).await;
    files.tick(130).await;
    files.deliver().await;
    assert_eq!(files.told("alerts"), ["new Keys Made", "changed Keys Made"]);
    files.withdraw(140).await;
    files.deliver().await;
    files.deliver().await;
    let all = ["new Keys Made", "changed Keys Made", "withdrawn Keys Made"];
    assert_eq!(files.told("alerts"), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_and_goes_while_an_output_is_off_is_told_as_a_whole() {
    let mut files = Files::new(&["on", "off"]).await;
    files.deliver().await;
    files.outputs[1].enabled = false;
    files.simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    files.tick(120).await;
    files.deliver().await;
    files.withdraw(130).await;
    files.deliver().await;
    let all = ["new Keys Made", "withdrawn Keys Made"];
    assert_eq!((files.told("on"), files.told("off").len()), (all.map(str::to_owned).into(), 0));
    files.outputs[1].enabled = true;
    files.deliver().await;
    assert_eq!(files.told("off"), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_fails_holds_up_no_other() {
    let mut files = Files::new(&["bad", "good"]).await;
    files.deliver().await;
    // A folder is in the place of the file.
    fs::create_dir(files.simulation.folder.path().join("bad")).unwrap();
    files.simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    files.tick(120).await;
    files.deliver().await;
    assert_eq!(files.told("good"), ["new Keys Made"]);
    let waiting = files.simulation.store().deliveries(&DeliveryFilter::default(), 9).unwrap().rows;
    let of = |name: &str| waiting.iter().find(|delivery| delivery.output == name).unwrap().clone();
    assert!(of("bad").attempts >= 1 && of("bad").error.is_some(), "{waiting:#?}");
    assert_eq!((of("good").attempts, of("good").error), (1, None));
    // One that is missing from the configuration keeps what waits for it.
    files.outputs.remove(0);
    files.deliver().await;
    assert_eq!(
        files.simulation.store().deliveries(&DeliveryFilter::default(), 9).unwrap().rows.len(),
        2
    );
}
