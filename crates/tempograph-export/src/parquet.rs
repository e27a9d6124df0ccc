//! `detections.parquet` and `events.parquet`: the same tables as the CSV files, by column.
//!
//! Text is as it was seen and heard: no spreadsheet opens these. Columns are dictionary encoded and
//! not compressed, so that every reader takes them.

use std::{io::Write, sync::Arc};

use parquet::{
    basic::{LogicalType, Repetition, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter, writer::SerializedRowGroupWriter},
    schema::types::{Type, TypePtr},
};
use tempograph_core::{Error, ErrorKind, Result};

use crate::{Export, table, write_failed};

/// Rows of a group: a few megabytes while it is written.
const GROUP: usize = 1 << 16;

/// Boxes, in displayed pixels.
pub(crate) fn detections(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let columns = [
        column("t_s", Physical::DOUBLE, Repetition::REQUIRED),
        column("frame", Physical::INT64, Repetition::REQUIRED),
        column("track", Physical::INT32, Repetition::OPTIONAL),
        column("label", Physical::BYTE_ARRAY, Repetition::REQUIRED),
        column("score", Physical::FLOAT, Repetition::REQUIRED),
        column("x1", Physical::FLOAT, Repetition::REQUIRED),
        column("y1", Physical::FLOAT, Repetition::REQUIRED),
        column("x2", Physical::FLOAT, Repetition::REQUIRED),
        column("y2", Physical::FLOAT, Repetition::REQUIRED),
    ];
    let mut file = File::new("detections", columns)?;
    let mut boxes = Boxes::default();
    for seen in export.frames()? {
        let (time, frame, detections) = seen?;
        for row in detections.iter() {
            boxes.times.push(time.as_secs_f64());
            boxes.frames.push(i64::try_from(frame).unwrap_or(i64::MAX));
            // The file has no unsigned numbers; ids count from 1 and never come near the limit.
            boxes.tracks.push(row.track.and_then(|t| i32::try_from(t).ok()));
            boxes.labels.push(ByteArray::from(row.label));
            boxes.scores.push(row.score);
            for (corner, value) in boxes.corners.iter_mut().zip(<[f32; 4]>::from(row.bbox)) {
                corner.push(value);
            }
        }
        if boxes.times.len() >= GROUP {
            file.boxes(&std::mem::take(&mut boxes))?;
        }
    }
    if !boxes.times.is_empty() {
        file.boxes(&boxes)?;
    }
    file.finish(out)
}

/// Every event of every kind.
pub(crate) fn events(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let text = |name| column(name, Physical::BYTE_ARRAY, Repetition::REQUIRED);
    let columns = [
        text("id"),
        text("kind"),
        text("type"),
        column("start_s", Physical::DOUBLE, Repetition::REQUIRED),
        column("end_s", Physical::DOUBLE, Repetition::REQUIRED),
        text("who"),
        text("text"),
        column("confidence", Physical::FLOAT, Repetition::OPTIONAL),
        text("origin"),
    ];
    let mut file = File::new("events", columns)?;
    for rows in table::rows(export.timeline).chunks(GROUP) {
        let texts = |of: fn(&table::Row) -> &str| rows.iter().map(|r| ByteArray::from(of(r))).collect::<Vec<_>>();
        file.group(|group| {
            put::<ByteArrayType>(group, &texts(|r| &r.id))?;
            put::<ByteArrayType>(group, &texts(|r| r.kind))?;
            put::<ByteArrayType>(group, &texts(|r| &r.name))?;
            put::<DoubleType>(group, &rows.iter().map(|r| r.span.start.as_secs_f64()).collect::<Vec<_>>())?;
            put::<DoubleType>(group, &rows.iter().map(|r| r.span.end.as_secs_f64()).collect::<Vec<_>>())?;
            put::<ByteArrayType>(group, &texts(|r| &r.who))?;
            put::<ByteArrayType>(group, &texts(|r| &r.text))?;
            put_some::<FloatType>(group, rows.iter().map(|r| r.confidence))?;
            put::<ByteArrayType>(group, &texts(|r| &r.origin))
        })?;
    }
    file.finish(out)
}

#[derive(Default)]
struct Boxes {
    times: Vec<f64>,
    frames: Vec<i64>,
    tracks: Vec<Option<i32>>,
    labels: Vec<ByteArray>,
    scores: Vec<f32>,
    corners: [Vec<f32>; 4],
}

/// A file in memory: the writer wants to own what it writes to.
struct File(SerializedFileWriter<Vec<u8>>);

type Column = std::result::Result<TypePtr, ParquetError>;
type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

fn column(name: &str, physical: Physical, repetition: Repetition) -> Column {
    let text = (physical == Physical::BYTE_ARRAY).then_some(LogicalType::String);
    let column = Type::primitive_type_builder(name, physical).with_repetition(repetition).with_logical_type(text);
    column.build().map(Arc::new)
}

impl File {
    fn new<const N: usize>(name: &str, columns: [Column; N]) -> Result<Self> {
        let open = || {
            let fields = columns.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
            let schema = Type::group_type_builder(name).with_fields(fields).build()?;
            let properties = WriterProperties::builder().set_created_by("tempograph".to_owned()).build();
            SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))
        };
        open().map(Self).map_err(failed)
    }

    fn group(&mut self, fill: impl FnOnce(&mut Group<'_>) -> std::result::Result<(), ParquetError>) -> Result<()> {
        let write = || {
            let mut group = self.0.next_row_group()?;
            fill(&mut group)?;
            group.close().map(drop)
        };
        write().map_err(failed)
    }

    fn boxes(&mut self, boxes: &Boxes) -> Result<()> {
        self.group(|group| {
            put::<DoubleType>(group, &boxes.times)?;
            put::<Int64Type>(group, &boxes.frames)?;
            put_some::<Int32Type>(group, boxes.tracks.iter().copied())?;
            put::<ByteArrayType>(group, &boxes.labels)?;
            put::<FloatType>(group, &boxes.scores)?;
            boxes.corners.iter().try_for_each(|corner| put::<FloatType>(group, corner))
        })
    }

    fn finish(self, out: &mut dyn Write) -> Result<()> {
        let bytes = self.0.into_inner().map_err(failed)?;
        out.write_all(&bytes).map_err(write_failed)
    }
}

/// Writes the next column, every row of which has a value.
fn put<T: DataType>(group: &mut Group<'_>, values: &[T::T]) -> std::result::Result<(), ParquetError> {
    next::<T>(group, values, None)
}

/// Writes the next column, some rows of which have a value.
fn put_some<T: DataType>(
    group: &mut Group<'_>,
    values: impl Iterator<Item = Option<T::T>>,
) -> std::result::Result<(), ParquetError> {
    let mut there = Vec::new();
    let levels: Vec<i16> = values
        .map(|value| {
            let level = i16::from(value.is_some());
            there.extend(value);
            level
        })
        .collect();
    next::<T>(group, &there, Some(&levels))
}

fn next<T: DataType>(
    group: &mut Group<'_>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> std::result::Result<(), ParquetError> {
    let missing = || ParquetError::General("a column more than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

fn failed(error: ParquetError) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot write the table: {error}")).with_source(error)
}
