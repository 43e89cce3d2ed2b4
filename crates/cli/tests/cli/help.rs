//! Tests of the `help` command.

use crate::fixture::Fixture;

#[test]
fn names_and_aliases_are_known() {
    let fixture = Fixture::empty();
    for (topic, part) in [
        ("head", "limit=<int>: How many rows to keep. Default `10`."),
        ("bucket", "bin [span=<span>"),
        ("ceil", "ceiling(<"),
        ("dc", "dc (statistics)"),
        ("mean", "avg (statistics)"),
        ("p95", "perc<number> (statistics)"),
        ("exactperc99.9", "exactperc<number> (statistics)"),
        ("upperperc<N>", "upperperc<number> (statistics)"),
        ("SPL2010", "option without effect"),
    ] {
        let shown = fixture.run_builtin(&["help", topic]);
        assert_eq!(shown.status, 0, "{topic}: {}", shown.err);
        assert!(shown.out.contains(part), "{topic}: {}", shown.out);
    }
    let unknown = fixture.run_builtin(&["help", "ceill"]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.err.contains("did you mean `ceil`"), "{}", unknown.err);
}
