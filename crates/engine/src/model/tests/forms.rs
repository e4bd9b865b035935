//! Smaller forms of the model: what they cost, what they still see, and that they restore bit for bit.

use super::{SPAN_S, daily, normal, poisson, rng};
use crate::model::{Form, ModelConfig, Outcome, Sample, SeriesModel, Side, ValueKind, severity};

const FORMS: [Form; 3] = [Form::Full, Form::Compact, Form::Sketch];

fn grown(cfg: &ModelConfig, form: Form, buckets: i64, value: impl FnMut(i64) -> f64) -> SeriesModel {
    let (mut model, mut value) = (SeriesModel::new(cfg), value);
    for b in 0..buckets {
        model.step_as(cfg, &Sample::new(b * SPAN_S, value(b)), form);
    }
    model
}

fn metric() -> ModelConfig {
    ModelConfig::new(SPAN_S as f64, ValueKind::Metric, Side::Both)
}

#[test]
fn each_form_is_much_smaller_than_the_one_before() {
    let cfg = metric();
    let mut r = rng(1);
    let bytes = FORMS.map(|form| {
        let model = grown(&cfg, form, 1500, |b| 100.0 + 20.0 * daily(b) + normal(&mut r));
        assert_eq!(model.form(), form);
        let foreseen = SeriesModel::bytes_of(&cfg, form) as f64;
        let ratio = model.memory_bytes() as f64 / foreseen;
        assert!((0.75..1.25).contains(&ratio), "{form:?}: {} {foreseen}", model.memory_bytes());
        model.memory_bytes()
    });
    assert!(bytes[0] * 5 > bytes[1] * 7 && bytes[1] > 5 * bytes[2], "{bytes:?}");
    assert!(bytes[2] < SeriesModel::bytes_of(&cfg, Form::Young) + 100, "{bytes:?}");
}

#[test]
fn shrinking_on_the_way_keeps_what_was_learnt() {
    let cfg = metric();
    let mut r = rng(2);
    let mut model = grown(&cfg, Form::Full, 1500, |b| 100.0 + 20.0 * daily(b) + normal(&mut r));
    model.change_form(Form::Compact);
    assert_eq!(model.form(), Form::Compact);
    let mut worst: f64 = 0.0;
    for b in 1500..2000 {
        let sample = Sample::new(b * SPAN_S, 100.0 + 20.0 * daily(b) + normal(&mut r));
        worst = worst.max(severity(model.step(&cfg, &sample).score));
    }
    assert!(worst < 50.0, "{worst}");
    let spike = |model: &SeriesModel, b: i64, value: f64| -> Outcome {
        model.evaluate(&cfg, &Sample::new(b * SPAN_S, value))
    };
    assert!(severity(spike(&model, 2000, 160.0 + 20.0 * daily(2000)).score) >= 50.0);
    model.change_form(Form::Full);
    assert_eq!(model.form(), Form::Full);
    model.change_form(Form::Sketch);
    assert_eq!((model.form(), model.age_buckets()), (Form::Sketch, 2000));
    // The season lies within the usual range now; what lies far beyond it is still seen.
    let outcome = spike(&model, 2000, 300.0);
    assert!((outcome.typical - 100.0).abs() < 20.0 && severity(outcome.score) >= 50.0, "{outcome:?}");
    // It does not become full at once.
    model.change_form(Form::Full);
    assert_eq!(model.form(), Form::Sketch);
}

#[test]
fn a_sketch_judges_until_the_model_beside_it_knows_enough() {
    let cfg = metric();
    let mut r = rng(5);
    let value = |b: i64, r: &mut _| 100.0 + 20.0 * daily(b) + normal(r);
    let mut model = grown(&cfg, Form::Full, 1500, |b| value(b, &mut r));
    model.change_form(Form::Sketch);
    let small = model.memory_bytes();
    model.change_form(Form::Compact);
    assert_eq!((model.form(), model.memory_bytes()), (Form::Compact, small));
    let spike_is_seen = |model: &SeriesModel, b: i64| {
        severity(model.evaluate(&cfg, &Sample::new(b * SPAN_S, 400.0)).score) >= 50.0
    };
    for b in 1500..2600 {
        assert_eq!(model.form(), Form::Compact, "bucket {b}");
        // The sketch knows all 1,500 buckets until the other has learnt 300.
        assert_eq!(model.age_buckets(), if b < 1800 { b as u64 } else { b as u64 - 1500 });
        assert!(b % 10 != 0 || spike_is_seen(&model, b), "bucket {b}");
        if b == 1700 {
            let bytes = postcard::to_allocvec(&model).unwrap();
            model = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(postcard::to_allocvec(&model).unwrap(), bytes);
            assert!(model.memory_bytes() > 2 * small);
            // Memory can be short again before it has grown.
            let mut shrunk = model.clone();
            shrunk.change_form(Form::Sketch);
            assert_eq!((shrunk.form(), shrunk.memory_bytes()), (Form::Sketch, small));
        }
        let outcome = model.step(&cfg, &Sample::new(b * SPAN_S, value(b, &mut r)));
        assert!(severity(outcome.score) < 75.0, "bucket {b}: {outcome:?}");
    }
    // It knows the daily pattern again, and can become full.
    let expected = model.peek(&cfg, 2600 * SPAN_S).typical;
    assert!((expected - 100.0 - 20.0 * daily(2600)).abs() < 4.0, "{expected}");
    model.change_form(Form::Full);
    assert_eq!(model.form(), Form::Full);
}

#[test]
fn sketches_are_calibrated_on_clean_series() {
    for kind in [ValueKind::Metric, ValueKind::Count] {
        let cfg = ModelConfig::new(SPAN_S as f64, kind, Side::Both);
        let (mut r, mut beyond, mut total) = (rng(3), [0, 0], 0);
        for _ in 0..3 {
            let mut model = SeriesModel::new(&cfg);
            for b in 0..6000 {
                let value = if kind == ValueKind::Count { poisson(&mut r, 4.0) } else { normal(&mut r) };
                let outcome = model.step_as(&cfg, &Sample::new(b * SPAN_S, value), Form::Sketch);
                if b >= 200 {
                    total += 1;
                    beyond[0] += usize::from(outcome.probability < 1e-2);
                    beyond[1] += usize::from(severity(outcome.score) >= 50.0);
                }
            }
        }
        let share = beyond[0] as f64 / total as f64;
        assert!(share < 0.02 && beyond[1] <= 1, "{kind:?}: {share}, {} buckets of 50 or more", beyond[1]);
    }
}

#[test]
fn every_form_restores_bit_for_bit() {
    let cfg = metric();
    for form in FORMS {
        let mut r = rng(4);
        let mut model = grown(&cfg, form, 900, |b| 100.0 + 20.0 * daily(b) + normal(&mut r));
        if form == Form::Sketch {
            model = grown(&cfg, Form::Full, 900, |b| daily(b) + normal(&mut r));
            model.change_form(Form::Compact);
            model.change_form(Form::Sketch);
        }
        let bytes = postcard::to_allocvec(&model).unwrap();
        let mut restored: SeriesModel = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(restored.memory_bytes(), model.memory_bytes());
        for b in 900..1200 {
            let sample = Sample::new(b * SPAN_S, 100.0 * normal(&mut r));
            assert_eq!(model.step(&cfg, &sample), restored.step(&cfg, &sample));
        }
        assert_eq!(postcard::to_allocvec(&model).unwrap(), postcard::to_allocvec(&restored).unwrap());
    }
}
