//! `firstlight timeline`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use contract::effect::Effect;
use contract::machine::Machine as _;
use contract::report::{Outcome, Report};
use engine::report_file;
use serde_json::{Value, json};
use system::Host;

use super::{Format, table};
use crate::boot::outcome_word;
use crate::session::{Session, Target};

/// Show when each stage and module of the last boot began, and how long it took.
#[derive(Debug, clap::Args)]
pub(super) struct Timeline {
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Draw it into this file, as an SVG picture, instead.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Something that took time.
#[derive(Debug, PartialEq)]
struct Span {
    stage: &'static str,
    /// `None` for the stage itself.
    module: Option<String>,
    outcome: Option<&'static str>,
    /// After the boot's first stage began.
    began: Duration,
    took: Duration,
}

/// How many characters the longest bar has.
const BAR: u128 = 40;

impl Timeline {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let session = Session::look(target)?;
        let report = report_file::read(&session.host);
        let report = report.context("there is no report yet: run `firstlight boot` first")?;
        let spans = spans(&report);
        if let Some(file) = &self.svg {
            let file = std::path::absolute(file)?;
            let here = Host::new(Path::new("/")).context("cannot open /")?;
            here.apply(&Effect::file(file, svg(&spans)))?;
            return Ok(ExitCode::SUCCESS);
        }
        match self.format {
            Format::Json => table::json(&spans.iter().map(Span::json).collect::<Vec<_>>())?,
            Format::Text => print(&spans),
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Span {
    fn json(&self) -> Value {
        json!({
            "stage": self.stage,
            "module": self.module,
            "outcome": self.outcome,
            "began_us": self.began.as_micros(),
            "duration_us": self.took.as_micros(),
        })
    }

    fn name(&self) -> &str {
        self.module.as_deref().unwrap_or(self.stage)
    }
}

/// Modules run one after the other, so each begins where the one before it ended.
fn spans(report: &Report) -> Vec<Span> {
    let zero = report.stages.first().map_or(0.0, |stage| stage.started);
    let mut spans = Vec::new();
    for stage in &report.stages {
        let name = stage.stage.as_str();
        let seconds = |time: f64| Duration::try_from_secs_f64(time).unwrap_or_default();
        let mut at = seconds(stage.started - zero);
        spans.push(Span {
            stage: name,
            module: None,
            outcome: stage.finished.is_none().then_some("running"),
            began: at,
            took: seconds(stage.finished.map_or(0.0, |end| end - stage.started)),
        });
        for module in &stage.modules {
            let took = Duration::from_micros(module.duration_us);
            spans.push(Span {
                stage: name,
                module: Some(module.name.clone()),
                outcome: Some(outcome_word(&module.outcome)),
                began: at,
                took,
            });
            at += took;
        }
    }
    spans
}

fn print(spans: &[Span]) {
    let longest = spans.iter().map(|span| span.took.as_micros()).max();
    let longest = longest.unwrap_or_default().max(1);
    let mut rows = vec![table::row(["STAGE", "MODULE", "BEGAN", "TOOK", ""])];
    rows.extend(spans.iter().map(|span| {
        let length = span.took.as_micros() * BAR / longest;
        table::row([
            span.stage,
            span.module.as_deref().unwrap_or_default(),
            &format!("{:>9.3} s", span.began.as_secs_f64()),
            &format!("{:>9.3} s", span.took.as_secs_f64()),
            &"#".repeat(usize::try_from(length).unwrap_or_default()),
        ])
    }));
    table::print(&rows);
}

const WIDTH: f64 = 720.0;
const NAMES: f64 = 220.0;
const ROW: f64 = 18.0;

/// A row for each span: its name, and a bar where and as long as it was.
fn svg(spans: &[Span]) -> String {
    let end = spans.iter().map(|span| span.began + span.took).max();
    let end = end.unwrap_or_default().as_secs_f64();
    let scale = WIDTH / end.max(f64::MIN_POSITIVE);
    let mut rows = String::new();
    let mut y = ROW;
    for span in spans {
        let colour = match span.module {
            None => "#33658a",
            Some(_) if span.outcome == Some(outcome_word(&Outcome::Failed)) => "#c1292e",
            Some(_) => "#86bbd8",
        };
        let (began, took) = (span.began.as_secs_f64(), span.took.as_secs_f64());
        let (x, width) = (NAMES + began * scale, (took * scale).max(1.0));
        let (top, height) = (y - ROW * 0.7, ROW * 0.8);
        rows.push_str(&format!(
            "<text x=\"4\" y=\"{y:.0}\">{}</text>\n\
             <rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\">\
             <title>{took:.3} s</title></rect>\n",
            escaped(span.name()),
        ));
        y += ROW;
    }
    let (width, height) = (NAMES + WIDTH + ROW, y);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         font-family=\"monospace\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{rows}\
         <text x=\"{NAMES:.0}\" y=\"{:.0}\">{end:.3} s</text>\n</svg>\n",
        height - 4.0,
    )
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use contract::module::Stage;
    use contract::report::{ModuleReport, StageReport};

    use super::*;

    fn report() -> Report {
        let module = |name: &str, duration_us| ModuleReport {
            name: name.to_owned(),
            outcome: Outcome::Changed,
            duration_us,
            steps: Vec::new(),
            problems: Vec::new(),
        };
        let mut report = Report::new();
        report.stages = vec![StageReport {
            stage: Stage::Identity,
            started: 100.0,
            finished: Some(101.0),
            programs_us: 0,
            modules: vec![module("ssh", 250_000), module("users", 500_000)],
        }];
        report
    }

    #[test]
    fn a_module_begins_where_the_one_before_it_ended() {
        let spans = spans(&report());
        let millis = |time: Duration| time.as_millis();
        let times = spans
            .iter()
            .map(|span| (millis(span.began), millis(span.took)));
        assert_eq!(times.collect::<Vec<_>>(), [(0, 1000), (0, 250), (250, 500)]);
    }

    #[test]
    fn a_picture_has_a_bar_for_each() {
        let svg = svg(&spans(&report()));
        assert_eq!(svg.matches("<title>").count(), 3);
        assert!(svg.contains("width=\"360.0\""), "{svg}");
        assert!(svg.ends_with("</svg>\n"));
    }
}
