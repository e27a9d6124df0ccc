//! A graph under construction.

use prost::Message;

use super::{
    proto::{
        AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
        StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
    },
    weights::Stored,
};

/// Opset 17 is the first with `LayerNormalization`, 20 the first with `Gelu`.
const OPSET: i64 = 20;
const IR_VERSION: i64 = 10;
/// The operators ONNX Runtime adds: quantised products, fused attention.
const CONTRIB: &str = "com.microsoft";

/// What a tensor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// 32-bit floats.
    F32,
    /// Bytes.
    U8,
    /// 64-bit integers.
    I64,
    /// 16-bit floats.
    F16,
}

impl ElementType {
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::F32 => 1,
            Self::U8 => 2,
            Self::I64 => 7,
            Self::F16 => 10,
        }
    }
}

/// An extent of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Always this.
    Fixed(usize),
    /// Varies; extents of one name are equal.
    Named(&'static str),
}

/// A node's setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f32),
    /// A list of integers.
    Ints(Vec<i64>),
}

/// A graph under construction. Values are known by name; the name of a result is made up.
#[derive(Debug, Default)]
pub struct Graph {
    proto: GraphProto,
    count: usize,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: &str) -> Self {
        Self { proto: GraphProto { name: name.to_owned(), ..GraphProto::default() }, count: 0 }
    }

    /// Declares an input.
    pub fn input(&mut self, name: &str, element: ElementType, dims: &[Dim]) -> String {
        self.proto.input.push(value_info(name, element, dims));
        name.to_owned()
    }

    /// Declares `value` as the output `name`.
    pub fn output(&mut self, value: &str, name: &str, element: ElementType, dims: &[Dim]) {
        self.push("Identity", "", &[value], &[name.to_owned()], &[]);
        self.proto.output.push(value_info(name, element, dims));
    }

    /// Names a tensor of a weights file.
    pub fn weight(&mut self, stored: &Stored) -> String {
        let name = format!("w{}", self.proto.initializer.len());
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
        self.proto.initializer.push(TensorProto {
            dims: stored.dims.iter().map(|&d| d as i64).collect(),
            data_type: stored.element.code(),
            name: name.clone(),
            raw_data: Vec::new(),
            external_data: vec![
                entry("location", stored.file.clone()),
                entry("offset", stored.offset.to_string()),
                entry("length", stored.len.to_string()),
            ],
            data_location: 1,
        });
        name
    }

    /// A list of integers known now.
    pub fn ints(&mut self, values: &[i64]) -> String {
        let name = format!("w{}", self.proto.initializer.len());
        self.proto.initializer.push(TensorProto {
            dims: vec![values.len() as i64],
            data_type: ElementType::I64.code(),
            name: name.clone(),
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..TensorProto::default()
        });
        name
    }

    /// Adds a node of the standard operators and gives its result's name. An empty input name leaves it out.
    pub fn op(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let name = self.fresh();
        self.push(op, "", inputs, std::slice::from_ref(&name), attributes);
        name
    }

    /// As [`Self::op`], of the operators ONNX Runtime adds.
    pub fn contrib(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let name = self.fresh();
        self.push(op, CONTRIB, inputs, std::slice::from_ref(&name), attributes);
        name
    }

    /// The finished model file with custom `metadata`.
    pub fn encode(self, metadata: &[(&str, String)]) -> Vec<u8> {
        let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
        let entry =
            |(key, value): &(&str, String)| StringStringEntryProto { key: (*key).to_owned(), value: value.clone() };
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "tempograph".to_owned(),
            graph: Some(self.proto),
            opset_import: vec![opset("", OPSET), opset(CONTRIB, 1)],
            metadata_props: metadata.iter().map(entry).collect(),
        }
        .encode_to_vec()
    }

    fn fresh(&mut self) -> String {
        self.count += 1;
        format!("v{}", self.count)
    }

    fn push(&mut self, op: &str, domain: &str, inputs: &[&str], outputs: &[String], attributes: &[(&str, Attribute)]) {
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: outputs.to_vec(),
            name: format!("n{}_{op}", self.proto.node.len()),
            op_type: op.to_owned(),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            domain: domain.to_owned(),
        });
    }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let proto = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    match value {
        Attribute::Float(f) => AttributeProto { f: *f, r#type: 1, ..proto },
        Attribute::Int(i) => AttributeProto { i: *i, r#type: 2, ..proto },
        Attribute::Ints(ints) => AttributeProto { ints: ints.clone(), r#type: 7, ..proto },
    }
}

fn value_info(name: &str, element: ElementType, dims: &[Dim]) -> ValueInfoProto {
    let dim = dims
        .iter()
        .map(|d| match *d {
            Dim::Fixed(n) => DimensionValue::Value(n as i64),
            Dim::Named(name) => DimensionValue::Param(name.to_owned()),
        })
        .map(|value| DimensionProto { value: Some(value) })
        .collect();
    let tensor_type = TensorTypeProto { elem_type: element.code(), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}
