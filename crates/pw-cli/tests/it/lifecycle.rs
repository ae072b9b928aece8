//! The whole life of a workflow, as one story.
