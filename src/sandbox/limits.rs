//! Slack's limits, from its reference. Lengths are in characters unless a name or comment says bytes.

/// The most blocks in a message.
pub const MESSAGE_BLOCKS: usize = 50;
/// The most blocks in a modal or on the Home tab.
pub const VIEW_BLOCKS: usize = 100;
/// Text in all blocks of a message; undocumented, observed as `msg_blocks_too_long`.
pub const MESSAGE_BLOCKS_TEXT: usize = 13_200;
/// Length of `text` in a new message.
pub const MESSAGE_TEXT: usize = 40_000;
/// Length of `text` in an update.
pub const UPDATE_TEXT: usize = 4_000;
/// The most attachments of a message.
pub const ATTACHMENTS: usize = 100;
/// Size of `metadata`, in bytes.
pub const METADATA_BYTES: usize = 8_192;
/// Length of `block_id`, `action_id`, `callback_id` and `external_id`.
pub const ID: usize = 255;
/// Length of a section's text.
pub const SECTION_TEXT: usize = 3_000;
/// The most fields of a section.
pub const FIELDS: usize = 10;
/// Length of one field's text.
pub const FIELD_TEXT: usize = 2_000;
/// Length of a header's text.
pub const HEADER_TEXT: usize = 150;
/// The most elements of a context block.
pub const CONTEXT_ELEMENTS: usize = 10;
/// Length of one context element's text.
pub const CONTEXT_TEXT: usize = 2_000;
/// The most elements of an actions block.
pub const ACTIONS_ELEMENTS: usize = 25;
/// Length of an input's label, and of its hint.
pub const LABEL: usize = 2_000;
/// Length of an image's `alt_text`, and of its title.
pub const IMAGE_TEXT: usize = 2_000;
/// Length of the URLs of images, buttons and options.
pub const URL: usize = 3_000;
/// Length of a markdown block, and of all markdown blocks together.
pub const MARKDOWN: usize = 12_000;
/// Length of a button's text.
pub const BUTTON_TEXT: usize = 75;
/// Length of a button's value.
pub const BUTTON_VALUE: usize = 2_000;
/// Length of a button's `accessibility_label`.
pub const ACCESSIBILITY_LABEL: usize = 75;
/// Length of an option's text, and of its description.
pub const OPTION_TEXT: usize = 75;
/// Length of an option's value.
pub const OPTION_VALUE: usize = 150;
/// The most options of a select.
pub const OPTIONS: usize = 100;
/// The most options of radio buttons and checkboxes.
pub const CHOICES: usize = 10;
/// The most options of an overflow menu.
pub const OVERFLOW: usize = 5;
/// Length of a placeholder.
pub const PLACEHOLDER: usize = 150;
/// The largest `max_length` of a plain text input.
pub const INPUT_LENGTH: u64 = 3_000;
/// Length of a confirm dialog's title.
pub const CONFIRM_TITLE: usize = 100;
/// Length of a confirm dialog's text.
pub const CONFIRM_TEXT: usize = 300;
/// Length of a confirm dialog's buttons.
pub const CONFIRM_BUTTON: usize = 30;
/// Length of a modal's title, submit and close texts.
pub const VIEW_TITLE: usize = 24;
/// Length of `private_metadata`.
pub const PRIVATE_METADATA: usize = 3_000;
/// Size of a view's JSON, in bytes.
pub const VIEW_BYTES: usize = 250_000;
/// The most views in one stack.
pub const VIEW_STACK: usize = 3;
/// Lifetime of a `trigger_id`, in milliseconds.
pub const TRIGGER_LIFE_MS: i64 = 3_000;
/// Lifetime of a `response_url`, in milliseconds.
pub const REPLY_LIFE_MS: i64 = 30 * 60 * 1_000;
/// How often a `response_url` can be used.
pub const REPLY_USES: u32 = 5;
/// How long Slack waits for the app's answer to a delivery.
pub const ACK: std::time::Duration = std::time::Duration::from_secs(3);
