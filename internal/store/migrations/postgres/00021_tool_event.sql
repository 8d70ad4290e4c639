-- +goose Up
-- Tool calls count against the limits of their conversation, however long its log is. The list is that of toolEvents.
CREATE INDEX event_of_tool ON event (conversation_id, seq) WHERE type IN ('tool.started', 'tool.completed', 'tool.confirmation');

-- +goose Down
DROP INDEX event_of_tool;
