//! Tiny ONNX models, encoded by hand: field numbers are those of `onnx.proto` (IR version 8, opset 17).

/// Element types by their number in `TensorProto.DataType`.
#[derive(Clone, Copy)]
pub(crate) enum Type {
    F32 = 1,
    U8 = 2,
    I32 = 6,
    I64 = 7,
    F16 = 10,
}

/// A model under construction.
pub(crate) struct Model {
    graph: Vec<u8>,
    metadata: Vec<u8>,
}

impl Model {
    pub(crate) fn new() -> Self {
        let mut graph = Vec::new();
        bytes(&mut graph, 2, b"fixture");
        Self { graph, metadata: Vec::new() }
    }

    pub(crate) fn input(mut self, name: &str, kind: Type, shape: &[Option<u64>]) -> Self {
        bytes(&mut self.graph, 11, &value_info(name, kind, shape));
        self
    }

    pub(crate) fn output(mut self, name: &str, kind: Type, shape: &[Option<u64>]) -> Self {
        bytes(&mut self.graph, 12, &value_info(name, kind, shape));
        self
    }

    pub(crate) fn node(mut self, op: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        let mut node = Vec::new();
        inputs.iter().for_each(|name| bytes(&mut node, 1, name.as_bytes()));
        outputs.iter().for_each(|name| bytes(&mut node, 2, name.as_bytes()));
        bytes(&mut node, 4, op.as_bytes());
        bytes(&mut self.graph, 1, &node);
        self
    }

    /// A constant vector.
    pub(crate) fn floats(mut self, name: &str, values: &[f32]) -> Self {
        let mut tensor = Vec::new();
        number(&mut tensor, 1, values.len() as u64);
        number(&mut tensor, 2, Type::F32 as u64);
        bytes(&mut tensor, 8, name.as_bytes());
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        bytes(&mut tensor, 9, &raw);
        bytes(&mut self.graph, 5, &tensor);
        self
    }

    pub(crate) fn metadata(mut self, key: &str, value: &str) -> Self {
        let mut entry = Vec::new();
        bytes(&mut entry, 1, key.as_bytes());
        bytes(&mut entry, 2, value.as_bytes());
        bytes(&mut self.metadata, 14, &entry);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut opset = Vec::new();
        number(&mut opset, 2, 17);
        let mut model = Vec::new();
        number(&mut model, 1, 8);
        bytes(&mut model, 8, &opset);
        bytes(&mut model, 7, &self.graph);
        model.extend_from_slice(&self.metadata);
        model
    }
}

fn value_info(name: &str, kind: Type, shape: &[Option<u64>]) -> Vec<u8> {
    let mut dims = Vec::new();
    for (i, extent) in shape.iter().enumerate() {
        let mut dim = Vec::new();
        match extent {
            Some(n) => number(&mut dim, 1, *n),
            None => bytes(&mut dim, 2, format!("d{i}").as_bytes()),
        }
        bytes(&mut dims, 1, &dim);
    }
    let mut tensor = Vec::new();
    number(&mut tensor, 1, kind as u64);
    bytes(&mut tensor, 2, &dims);
    let mut value = Vec::new();
    bytes(&mut value, 1, &tensor);
    let mut info = Vec::new();
    bytes(&mut info, 1, name.as_bytes());
    bytes(&mut info, 2, &value);
    info
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}
