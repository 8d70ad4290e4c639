package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"parley"
	"parley/internal/store"
)

// Note is what agents remember of a person under a key.
type Note struct {
	Key       string    `json:"key" example:"preferred_language" doc:"What it is about, as the model called it."`
	Text      string    `json:"text" example:"Prefers to speak Finnish." doc:"What the model understood. Nobody has checked it."`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// NoteList is everything that agents remember of a person.
type NoteList struct {
	ContactID string `json:"contactId" example:"+14155550123" doc:"The person."`
	Notes     []Note `json:"notes" nullable:"false" doc:"At most 100, by key."`
}

// NotesDeleted confirms that notes are gone.
type NotesDeleted struct {
	ContactID string `json:"contactId" example:"+14155550123" doc:"The person."`
	Deleted   int    `json:"deleted" example:"3" doc:"How many notes were deleted."`
}

// ContactPath names a person.
type ContactPath struct {
	ContactID string `path:"contactId" maxLength:"255" doc:"A telephone number in E.164, percent-encoded such as %2B14155550123, or the id that tools get as context.contactId." example:"+14155550123"`
}

type noteDelete struct {
	ContactPath
	Key string `query:"key" minLength:"1" maxLength:"60" doc:"Only the note with this key; all of them when absent."`
}

func (a *API) noteOperations() {
	const path = "/api/v1/contacts/{contactId}/notes"
	read(a, operation{method: http.MethodGet, path: path, id: "listNotes", tag: "Conversations", scope: parley.ScopeConversationsRead,
		summary: "List what agents remember of a person", description: "What the tool remember has noted, by key. A person of whom nothing is remembered is not found.", refusals: []int{404}}, a.listNotes)
	write(a, operation{method: http.MethodDelete, path: path, id: "deleteNotes", tag: "Conversations", scope: parley.ScopeConversationsWrite,
		summary: "Forget a person", description: "Deletes what agents remember of a person. When there is nothing, it is not found.", refusals: []int{404}}, a.deleteNotes)
}

func (a *API) listNotes(ctx context.Context, orgID string, in *ContactPath) (reply[NoteList], error) {
	if err := checkContact(in.ContactID); err != nil {
		return refuse[NoteList](err)
	}
	notes, err := a.opt.Store.ListNotes(ctx, orgID, contactOf(orgID, in.ContactID))
	if err == nil && len(notes) == 0 {
		err = errNoNotes
	}
	list := NoteList{ContactID: in.ContactID, Notes: make([]Note, len(notes))}
	for i, n := range notes {
		list.Notes[i] = Note{Key: n.Key, Text: n.Text, CreatedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt}
	}
	return reply[NoteList]{data: list}, err
}

func (a *API) deleteNotes(_ context.Context, orgID string, in *noteDelete) (effect[NotesDeleted], error) {
	if err := checkContact(in.ContactID); err != nil {
		return nil, err
	}
	contact, key := strings.Clone(in.ContactID), strings.Clone(in.Key)
	return func(ctx context.Context, tx *store.Tx) (reply[NotesDeleted], error) {
		n, err := tx.DeleteNotes(ctx, orgID, contactOf(orgID, contact), key)
		if err == nil && n == 0 {
			err = errNoNotes
		}
		gone := NotesDeleted{ContactID: contact, Deleted: n}
		return reply[NotesDeleted]{data: gone, message: "Notes deleted successfully", note: &note{action: "forget",
			resource: parley.AuditResource{Type: "contact", ID: contact, Name: contact}, after: map[string]any{"key": key, "deleted": n}}}, err
	}, nil
}

// contactOf is the contact id of a person who is named by a telephone number or by the id itself.
func contactOf(orgID, named string) string {
	if parley.IsE164(named) {
		return parley.PhoneContact(orgID, named)
	}
	return named
}

// errNoNotes: whoever cannot be told from somebody who does not exist is answered the same.
var errNoNotes = parley.Errorf(parley.CodeNotFound, "Nothing is remembered of this contact")

// checkContact refuses what no person is called by.
func checkContact(id string) error {
	if strings.TrimSpace(id) == "" || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == 0xFFFD }) {
		return errNoNotes
	}
	return nil
}
