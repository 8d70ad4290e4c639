package parley

import "time"

// Note is what agents remember of a person under a key: the model's words about what the person said, no fact that
// anybody has checked.
type Note struct {
	Key       string
	Text      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Limits of notes. Lengths are in Unicode code points.
const (
	MaxNotes     = 100 // of one person
	MaxNoteKey   = 60
	MaxNoteText  = 500
	MaxContactID = 255
)
