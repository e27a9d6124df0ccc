//! What every runtime has to do the same way, whatever library is behind it.

use std::path::Path;

use tempograph_core::{ErrorKind, Runtime, Session, SessionOptions, Tensor, TensorData};

use fixture::{Model, Type};

mod fixture;

fn f32s(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor::new(shape, data.to_vec()).expect("the fixture's shape holds its data")
}

fn load(runtime: &dyn Runtime, folder: &Path, name: &str, model: Model) -> Box<dyn Session> {
    let path = folder.join(name);
    std::fs::write(&path, model.bytes()).expect("the folder is writable");
    runtime.load(&path, &SessionOptions { threads: 2 }).expect("a valid model loads")
}

/// Runs every check on `runtime`; models are written into `folder`.
///
/// # Panics
/// With the first difference.
pub fn session_suite(runtime: &dyn Runtime, folder: &Path) {
    assert!(!runtime.describe().is_empty(), "a runtime says what it is");
    declares_its_shapes_and_metadata(runtime, folder);
    computes_with_extents_that_vary(runtime, folder);
    carries_each_element_type(runtime, folder);
    refuses_what_does_not_fit_and_goes_on(runtime, folder);
    refuses_files_that_are_no_models(runtime, folder);
    runs_on_the_thread_that_owns_it(runtime, folder);
}

/// `y = x + [1, 2, 3]` with `x: f32[rows, 3]`.
fn add() -> Model {
    Model::new()
        .input("x", Type::F32, &[None, Some(3)])
        .output("y", Type::F32, &[None, Some(3)])
        .floats("b", &[1.0, 2.0, 3.0])
        .node("Add", &["x", "b"], &["y"])
        .metadata("names", "{0: 'a'}")
}

fn declares_its_shapes_and_metadata(runtime: &dyn Runtime, folder: &Path) {
    let session = load(runtime, folder, "declare.onnx", add());
    let [input] = session.inputs() else { panic!("one input is declared") };
    assert_eq!((input.name.as_str(), input.shape.as_slice()), ("x", [None, Some(3)].as_slice()));
    let [output] = session.outputs() else { panic!("one output is declared") };
    assert_eq!(output.name, "y");
    assert_eq!(session.metadata("names").as_deref(), Some("{0: 'a'}"));
    assert_eq!(session.metadata("absent"), None);
}

fn computes_with_extents_that_vary(runtime: &dyn Runtime, folder: &Path) {
    let mut session = load(runtime, folder, "vary.onnx", add());
    for rows in [1, 4, 0, 2] {
        let x = f32s(&[rows, 3], &vec![0.5; rows * 3]);
        let y = session.run(&[&x]).expect("any number of rows runs").remove(0);
        assert_eq!(y.shape(), [rows, 3]);
        assert_eq!(y.as_f32().expect("floats"), [1.5, 2.5, 3.5].repeat(rows));
        assert_eq!(x.as_f32().expect("floats"), vec![0.5; rows * 3], "inputs are left as they were");
    }
}

fn carries_each_element_type(runtime: &dyn Runtime, folder: &Path) {
    let each: [(Type, TensorData); 4] = [
        (Type::F32, vec![1.5f32, -2.0].into()),
        (Type::I64, vec![i64::MAX, -1].into()),
        (Type::I32, vec![i32::MIN, 7].into()),
        (Type::U8, vec![0u8, 255].into()),
    ];
    for (kind, data) in each {
        let model =
            Model::new().input("x", kind, &[Some(2)]).output("y", kind, &[Some(2)]).node("Identity", &["x"], &["y"]);
        let mut session = load(runtime, folder, "type.onnx", model);
        let x = Tensor::new([2], data).expect("two elements");
        assert_eq!(session.run(&[&x]).expect("an identity runs"), [x]);
    }
    let model = Model::new().input("x", Type::F16, &[Some(2)]).output("y", Type::F16, &[Some(2)]).node(
        "Add",
        &["x", "x"],
        &["y"],
    );
    let mut session = load(runtime, folder, "half.onnx", model);
    let y = session.run(&[&f32s(&[2], &[0.25, -3.0])]).expect("half precision takes and gives floats");
    assert_eq!(y, [f32s(&[2], &[0.5, -6.0])]);
}

fn refuses_what_does_not_fit_and_goes_on(runtime: &dyn Runtime, folder: &Path) {
    let mut session = load(runtime, folder, "refuse.onnx", add());
    let good = f32s(&[1, 3], &[0.0; 3]);
    let bytes = Tensor::new([1, 3], vec![0u8; 3]).expect("three elements");
    let wrong: [&[&Tensor]; 5] =
        [&[], &[&good, &good], &[&f32s(&[1, 4], &[0.0; 4])], &[&f32s(&[3], &[0.0; 3])], &[&bytes]];
    for inputs in wrong {
        let kind = session.run(inputs).expect_err("wrong inputs are refused").kind();
        assert_eq!(kind, ErrorKind::Inference);
        assert_eq!(session.run(&[&good]).expect("the session still runs").len(), 1);
    }
}

fn refuses_files_that_are_no_models(runtime: &dyn Runtime, folder: &Path) {
    let options = SessionOptions::default();
    let kind = |path: &Path| runtime.load(path, &options).err().map(|e| e.kind());
    assert_eq!(kind(&folder.join("absent.onnx")), Some(ErrorKind::ModelMissing));
    assert_eq!(kind(folder), Some(ErrorKind::ModelMissing));
    let whole = add().bytes();
    for bytes in [&b""[..], b"\xff\xff\xff\xff not a model", &whole[..whole.len() / 2]] {
        let path = folder.join("broken.onnx");
        std::fs::write(&path, bytes).expect("the folder is writable");
        assert_eq!(kind(&path), Some(ErrorKind::ModelInvalid));
    }
}

fn runs_on_the_thread_that_owns_it(runtime: &dyn Runtime, folder: &Path) {
    let mut session = load(runtime, folder, "thread.onnx", add());
    let sum = std::thread::spawn(move || session.run(&[&f32s(&[1, 3], &[1.0; 3])]).map(|mut y| y.remove(0)));
    let y = sum.join().expect("no panic").expect("it runs elsewhere too");
    assert_eq!(y, f32s(&[1, 3], &[2.0, 3.0, 4.0]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OnnxRuntime;

    #[test]
    fn onnx_runtime_passes() {
        let Some(library) = crate::testing::library() else { return };
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A refused library must not stand in the way of a good one.
        let text = folder.path().join("libonnxruntime.so");
        std::fs::write(&text, "no library").expect("writable");
        let refused = OnnxRuntime::open(&text).expect_err("a text file is no library");
        assert_eq!(refused.kind(), ErrorKind::RuntimeMissing);

        let runtime = OnnxRuntime::open(&library).expect("the library opens");
        assert!(runtime.describe().starts_with("onnxruntime 1."), "{}", runtime.describe());
        session_suite(&runtime, folder.path());
        let again = OnnxRuntime::open(&library).expect("it opens again");
        assert_eq!(again.describe(), runtime.describe());
        let other = OnnxRuntime::open(&text).expect_err("one library a process");
        assert_eq!(other.kind(), ErrorKind::RuntimeMissing);
    }
}
