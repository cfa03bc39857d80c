//! Slack's limits, from its reference. Lengths are in characters unless a name or comment says bytes.

/// Blocks in a message.
pub const MESSAGE_BLOCKS: usize = 50;
/// Blocks in a modal or on Home.
pub const VIEW_BLOCKS: usize = 100;
/// Text in all blocks of a message; undocumented, observed as `msg_blocks_too_long`.
pub const MESSAGE_BLOCKS_TEXT: usize = 13_200;
/// Length of `text` in a new message.
pub const MESSAGE_TEXT: usize = 40_000;
/// Length of `text` in an update.
pub const UPDATE_TEXT: usize = 4_000;
/// Attachments of a message.
pub const ATTACHMENTS: usize = 100;
/// Size of `metadata`, in bytes.
pub const METADATA_BYTES: usize = 8_192;
/// Length of `block_id`, `action_id`, `callback_id` and `external_id`.
pub const ID: usize = 255;
/// A section's text.
pub const SECTION_TEXT: usize = 3_000;
/// Fields of a section.
pub const FIELDS: usize = 10;
/// Text of one field.
pub const FIELD_TEXT: usize = 2_000;
/// A header's text.
pub const HEADER_TEXT: usize = 150;
/// Elements of a context block.
pub const CONTEXT_ELEMENTS: usize = 10;
/// Text of one context element.
pub const CONTEXT_TEXT: usize = 2_000;
/// Elements of an actions block.
pub const ACTIONS_ELEMENTS: usize = 25;
/// Label and hint of an input.
pub const LABEL: usize = 2_000;
/// An image's `alt_text` and title.
pub const IMAGE_TEXT: usize = 2_000;
/// Urls of images, buttons and options.
pub const URL: usize = 3_000;
/// Length of a markdown block, and of all markdown blocks together.
pub const MARKDOWN: usize = 12_000;
/// A button's text.
pub const BUTTON_TEXT: usize = 75;
/// A button's value.
pub const BUTTON_VALUE: usize = 2_000;
/// A button's `accessibility_label`.
pub const ACCESSIBILITY_LABEL: usize = 75;
/// An option's text and description.
pub const OPTION_TEXT: usize = 75;
/// An option's value.
pub const OPTION_VALUE: usize = 150;
/// Options of a select.
pub const OPTIONS: usize = 100;
/// Options of radio buttons and checkboxes.
pub const CHOICES: usize = 10;
/// Options of an overflow menu.
pub const OVERFLOW: usize = 5;
/// A placeholder.
pub const PLACEHOLDER: usize = 150;
/// `max_length` of a plain text input.
pub const INPUT_LENGTH: u64 = 3_000;
/// A confirm dialog's title.
pub const CONFIRM_TITLE: usize = 100;
/// A confirm dialog's text.
pub const CONFIRM_TEXT: usize = 300;
/// A confirm dialog's buttons.
pub const CONFIRM_BUTTON: usize = 30;
/// A modal's title, submit and close.
pub const VIEW_TITLE: usize = 24;
/// `private_metadata`.
pub const PRIVATE_METADATA: usize = 3_000;
/// Size of a view's JSON, in bytes.
pub const VIEW_BYTES: usize = 250_000;
/// Views in one stack.
pub const VIEW_STACK: usize = 3;
/// Lifetime of a `trigger_id`, in milliseconds.
pub const TRIGGER_LIFE_MS: i64 = 3_000;
/// Lifetime of a `response_url`, in milliseconds.
pub const REPLY_LIFE_MS: i64 = 30 * 60 * 1_000;
/// Uses of a `response_url`.
pub const REPLY_USES: u32 = 5;
/// How long Slack waits for the app's answer to a delivery.
pub const ACK: std::time::Duration = std::time::Duration::from_secs(3);
