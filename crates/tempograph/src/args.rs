//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::settings::{Layer, Origin};

/// Name of the hidden command that runs a local language model.
pub(crate) const LLM_CHILD: &str = "llm-child";

/// Turns video into understanding: who and what is in it, what is said, when, and how it hangs together.
#[derive(Debug, Parser)]
#[command(name = "tempograph", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags every command takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Folder of the library: database, objects, models
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: Option<String>,
    /// Configuration file [default: tempograph/config.toml in the platform's configuration folder]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Never reach for the network
    #[arg(long, global = true)]
    offline: bool,
    /// Processor threads one stage may use
    #[arg(long, global = true, value_name = "N")]
    threads: Option<String>,
    /// What to log, e.g. `info` or `tempograph_pipeline=debug`
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look
    #[arg(long, global = true, value_name = "text|json")]
    log_format: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Analyse videos: files, folders, globs or `@LIST` files
    Analyze(Analyze),
    /// Find the moments worth keeping and cut them into clips
    Highlights(Highlights),
    /// Find moments in analysed videos by words and by meaning
    Search(Search),
    /// Ask about an analysed video; answers cite times
    Chat(Chat),
    /// Write an analysed video's timeline in another format
    Export(Export),
    /// Compare a result with the truth
    Eval(Eval),
    /// List, fetch, check and remove models
    Models {
        #[command(subcommand)]
        command: Models,
    },
    /// Show settings
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Check that this machine has what is needed
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Say how much memory each local language model would take
        #[arg(long)]
        budget: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Run a local language model for the process that started this one
    #[command(name = LLM_CHILD, hide = true)]
    LlmChild,
}

/// `tempograph analyze`.
#[derive(Debug, Args)]
pub(crate) struct Analyze {
    /// Video files, folders, globs, or `@FILE` with a source on each line
    #[arg(required = true, value_name = "SOURCE", value_hint = ValueHint::AnyPath)]
    pub(crate) sources: Vec<String>,
    /// Where results go [default: `tempograph-out/FILE-NAME`]; with several sources, a folder for each inside
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
    /// Run these stages only: scenes, thumbnails, detect, faces, text, depth, sounds, vad, speech, ask, summary, embed
    #[arg(long, value_name = "STAGE,…")]
    only: Option<String>,
    /// Leave these stages out
    #[arg(long, value_name = "STAGE,…")]
    skip: Option<String>,
    /// Model that looks at frames and tells what happens; `none` leaves it out
    #[arg(long, value_name = "none|local|openai|gemini|runpod")]
    backend: Option<String>,
    /// Frames a second that the detector looks at
    #[arg(long)]
    fps: Option<String>,
    /// Scene detectors to run; the first decides the scenes
    #[arg(long, value_name = "content|adaptive|threshold|hist|hash,…")]
    scene_detectors: Option<String>,
    /// Detector model
    #[arg(long, value_name = "MODEL")]
    detector: Option<String>,
    /// Confidence a track needs to start, 0 to 1
    #[arg(long)]
    confidence: Option<String>,
    /// How objects are followed
    #[arg(long, value_name = "bytetrack|sort")]
    tracker: Option<String>,
    /// Text reading model
    #[arg(long, value_name = "MODEL")]
    text_model: Option<String>,
    /// Frames a second in which text is looked for
    #[arg(long, value_name = "FPS")]
    text_fps: Option<String>,
    /// Depth model
    #[arg(long, value_name = "MODEL")]
    depth_model: Option<String>,
    /// Frames a second whose depth is estimated
    #[arg(long, value_name = "FPS")]
    depth_fps: Option<String>,
    /// Sound tagging model
    #[arg(long, value_name = "MODEL")]
    sound_model: Option<String>,
    /// Speech model
    #[arg(long, value_name = "MODEL")]
    speech_model: Option<String>,
    /// Spoken language, e.g. `en`
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Audio stream to listen to, from 0
    #[arg(long, value_name = "N")]
    audio_stream: Option<String>,
    /// Boxes (MOT, COCO), subtitles (SRT, VTT, SBV) or speakers (RTTM) to take instead of measuring them
    #[arg(long, value_name = "[FORMAT=]FILE", value_delimiter = ',', value_hint = ValueHint::FilePath)]
    import: Vec<String>,
    /// Cut the highlights into clips/
    #[arg(long)]
    clips: bool,
    /// Do not write annotated.mp4
    #[arg(long)]
    no_annotate: bool,
    /// Print analysis.json to standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Say why each stage runs or does not
    #[arg(long)]
    pub(crate) explain: bool,
    /// Say what asking the model would send and cost; nothing is run and nothing is sent
    #[arg(long)]
    pub(crate) plan: bool,
}

/// `tempograph highlights`.
#[derive(Debug, Args)]
pub(crate) struct Highlights {
    /// A video file, or the id of one in the library; a file that was not analysed yet is analysed first
    pub(crate) video: String,
    /// Highlights at most
    #[arg(long, value_name = "N")]
    count: Option<String>,
    /// Shortest highlight, in seconds
    #[arg(long, value_name = "SECONDS")]
    min_s: Option<String>,
    /// Longest highlight, in seconds
    #[arg(long, value_name = "SECONDS")]
    max_s: Option<String>,
    /// Copy from key frame on instead of encoding anew: quick, but a clip may begin earlier
    #[arg(long)]
    pub(crate) fast: bool,
    /// Say what they are, cut nothing
    #[arg(long)]
    pub(crate) no_clips: bool,
    /// Where `clips/` goes [default: `tempograph-out/FILE-NAME`]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tempograph search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What to look for, in plain words; may be empty with a filter
    pub(crate) query: String,
    /// In these videos only: a file, or the id of one in the library
    #[arg(long, value_name = "VIDEO", value_hint = ValueHint::FilePath)]
    pub(crate) video: Vec<String>,
    /// After this time: seconds, `M:SS` or `H:MM:SS`
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// With one of these classes, e.g. `dog`
    #[arg(long, value_name = "LABEL,…", value_delimiter = ',')]
    pub(crate) label: Vec<String>,
    /// Said by one of these speakers
    #[arg(long, value_name = "SPEAKER,…", value_delimiter = ',')]
    pub(crate) speaker: Vec<String>,
    /// With one of these kinds of event, e.g. `approach`
    #[arg(long, value_name = "EVENT,…", value_delimiter = ',')]
    pub(crate) event: Vec<String>,
    /// By one of these: speech, sound, text, object, event, emotion, description, memory, frame
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    pub(crate) kind: Vec<String>,
    /// Moments at most
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    pub(crate) limit: usize,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tempograph chat`.
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// A video file, or the id of one in the library
    pub(crate) video: String,
    /// What to ask; without it, questions are read line by line
    pub(crate) question: Option<String>,
    /// Name of the conversation, which goes on where it was left
    #[arg(long, value_name = "NAME", default_value = tempograph_pipeline::chat::DEFAULT_SESSION)]
    pub(crate) session: String,
    /// Forget what was said in the conversation before
    #[arg(long)]
    pub(crate) forget: bool,
    /// Print JSON, one line an answer
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tempograph export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// A video file, or the id of one in the library
    pub(crate) video: String,
    /// Format
    #[arg(short, long)]
    pub(crate) format: String,
    /// File to write [default: standard output]; for `yolo` also a folder
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,
}

/// `tempograph eval`.
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// What to compare: mot, scenes, wer, der, ap, depth
    pub(crate) kind: String,
    /// The truth
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) truth: PathBuf,
    /// The result
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// wer: compare lower-case text without punctuation
    #[arg(long)]
    pub(crate) normalize: bool,
    /// der: seconds around each boundary that are not scored, in all
    #[arg(long, value_name = "SECONDS")]
    pub(crate) collar: Option<f64>,
    /// der: NIST UEM file with the stretches to score [default: first turn to last]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) uem: Option<PathBuf>,
    /// mot: IoU that counts as a match
    #[arg(long)]
    pub(crate) iou: Option<f64>,
    /// scenes: frames a cut may be off
    #[arg(long, value_name = "FRAMES")]
    pub(crate) tolerance: Option<f64>,
    /// scenes: frames a second, where neither file says
    #[arg(long)]
    pub(crate) fps: Option<f64>,
    /// scenes, der: which video of a truth file with several
    #[arg(long, value_name = "NAME")]
    pub(crate) video: Option<String>,
    /// der: leave out where speakers of the truth overlap
    #[arg(long)]
    pub(crate) skip_overlap: bool,
    /// mot: classes to score; all when absent
    #[arg(long, value_name = "LABEL,…", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,
    /// depth: what the truth holds
    #[arg(long, value_name = "depth|disparity", default_value = "depth")]
    pub(crate) depth_truth: String,
    /// depth: what the result holds; ours holds inverse depth
    #[arg(long, value_name = "depth|disparity", default_value = "disparity")]
    pub(crate) depth_result: String,
    /// depth: what is fitted before scoring
    #[arg(long, value_name = "none|scale-shift|median", default_value = "scale-shift")]
    pub(crate) align: String,
}

/// `tempograph models`.
#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// List models with licence, size and whether they are here
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Fetch models
    Pull {
        /// Names; none with `--default`
        names: Vec<String>,
        /// Fetch the default set
        #[arg(long)]
        default: bool,
    },
    /// Check the files of models against their checksums
    Verify {
        /// Names; none means all that are here
        names: Vec<String>,
    },
    /// Delete models
    Remove {
        /// Names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// `tempograph config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting with its value and where it came from
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the reference of all settings as Markdown
    Reference,
}

impl Cli {
    /// The settings that were typed as flags.
    pub(crate) fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        let mut set = |key, value: &Option<String>| layer.set(key, value.as_ref(), &Origin::Flag);
        set("data", &self.common.data);
        set("offline", &self.common.offline.then(|| "true".to_owned()));
        set("threads", &self.common.threads);
        set("log.level", &self.common.log);
        set("log.format", &self.common.log_format);
        if let Command::Analyze(a) = &self.command {
            set("analyze.only", &a.only);
            set("analyze.skip", &a.skip);
            set("ask.backend", &a.backend);
            set("analyze.fps", &a.fps);
            set("analyze.scene_detectors", &a.scene_detectors);
            set("analyze.detector", &a.detector);
            set("analyze.confidence", &a.confidence);
            set("analyze.tracker", &a.tracker);
            set("analyze.text_model", &a.text_model);
            set("analyze.text_fps", &a.text_fps);
            set("analyze.depth_model", &a.depth_model);
            set("analyze.depth_fps", &a.depth_fps);
            set("analyze.sound_model", &a.sound_model);
            set("analyze.speech_model", &a.speech_model);
            set("analyze.language", &a.language);
            set("analyze.audio_stream", &a.audio_stream);
            let import = (!a.import.is_empty()).then(|| a.import.join(","));
            set("analyze.import", &import);
            set("analyze.clips", &a.clips.then(|| "true".to_owned()));
            set("analyze.annotate", &a.no_annotate.then(|| "false".to_owned()));
        }
        if let Command::Highlights(h) = &self.command {
            set("highlights.count", &h.count);
            set("highlights.min_s", &h.min_s);
            set("highlights.max_s", &h.max_s);
        }
        layer
    }
}
