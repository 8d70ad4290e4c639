package parley

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// AuditEntry says who did what to which resource. It is written in the transaction of the effect and never
// changed. No secret is in it: what is compared are the forms that clients see.
type AuditEntry struct {
	ID        string        `json:"id" format:"uuid"`
	OrgID     string        `json:"-"`
	At        time.Time     `json:"at" doc:"When it was done."`
	Actor     AuditActor    `json:"actor" doc:"Who did it."`
	Action    string        `json:"action" example:"agent.update" doc:"The resource's type and what was done to it."`
	Resource  AuditResource `json:"resource" doc:"What it was done to."`
	Changes   []AuditChange `json:"changes" nullable:"false" doc:"Every field that changed."`
	RequestID string        `json:"requestId" doc:"X-Request-Id of the request; empty for the shell."`
	Client    string        `json:"client" doc:"The client's address; empty for the shell."`
}

// NewAuditEntry tells that an actor did an action, such as create, to a resource. before and after are the forms that
// clients see, nil for nothing.
func NewAuditEntry(actor AuditActor, action string, resource AuditResource, before, after any, now time.Time) (AuditEntry, error) {
	changes, err := Changes(before, after)
	if err != nil {
		return AuditEntry{}, fmt.Errorf("comparing for the audit log: %w", err)
	}
	return AuditEntry{ID: NewID(), At: now.UTC().Truncate(time.Microsecond), Actor: actor, Action: resource.Type + "." + action, Resource: resource, Changes: changes}, nil
}

// AuditActor is who did something.
type AuditActor struct {
	Type string `json:"type" enum:"api_key,shell,server" doc:"shell: the parley command on the server's machine."`
	ID   string `json:"id" doc:"Of the API key; empty otherwise."`
	Name string `json:"name" doc:"As it was then."`
}

// The kinds of actors.
const (
	ActorAPIKey = "api_key"
	ActorShell  = "shell"  // the parley command on the server's machine
	ActorServer = "server" // the server itself, such as at its first start
)

// AuditResource is what something was done to.
type AuditResource struct {
	Type string `json:"type" example:"agent" doc:"What kind of thing it is."`
	ID   string `json:"id"`
	Name string `json:"name" doc:"As it was then."`
}

// AuditChange is one changed field: absent before or after says that the field was not there.
type AuditChange struct {
	Field  string          `json:"field" example:"config.speed" doc:"Its path in the resource."`
	Before json.RawMessage `json:"before,omitempty" doc:"Any JSON value; long text is cut."`
	After  json.RawMessage `json:"after,omitempty" doc:"Any JSON value; long text is cut."`
}

// AuditFilter selects audit entries, newest first. Zero values mean "any".
type AuditFilter struct {
	ResourceType  string
	ResourceID    string
	ActorID       string
	After, Before time.Time // after is inclusive, before exclusive
	Limit, Offset int
}

// maxAuditText is how much of a changed text is kept, in bytes: enough to see what was done, little enough for
// a log that is kept for years.
const maxAuditText = 4096

// volatile are members that say nothing about what was done.
var volatile = []string{"id", "createdAt", "updatedAt", "embedCode", "lastUsedAt", "updated"}

// Changes compares two values by their JSON forms and lists every differing field by its path, nested objects
// member by member, lists as a whole, in the order of the paths. Nil means that there was nothing. Ids and times
// that the entry or the resource itself tells are left out.
func Changes(before, after any) ([]AuditChange, error) {
	a, err := flatten(before)
	if err != nil {
		return nil, err
	}
	b, err := flatten(after)
	if err != nil {
		return nil, err
	}
	fields := slices.Sorted(maps.Keys(a))
	for _, f := range slices.Sorted(maps.Keys(b)) {
		if _, both := a[f]; !both {
			fields = append(fields, f)
		}
	}
	slices.Sort(fields)
	out := []AuditChange{}
	for _, f := range fields {
		if !bytes.Equal(a[f], b[f]) && !slices.Contains(volatile, f) {
			out = append(out, AuditChange{Field: f, Before: cutText(a[f]), After: cutText(b[f])})
		}
	}
	return out, nil
}

// flatten returns the members of a value's JSON object by dotted path.
func flatten(v any) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if v == nil {
		return out, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return out, flattenInto(out, "", raw)
}

func flattenInto(out map[string]json.RawMessage, path string, raw json.RawMessage) error {
	if len(raw) == 0 || raw[0] != '{' || string(raw) == "{}" {
		out[path] = raw
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	for name, v := range members {
		if err := flattenInto(out, join(path, name), v); err != nil {
			return err
		}
	}
	return nil
}

// cutText shortens a long JSON value to a string that says so.
func cutText(raw json.RawMessage) json.RawMessage {
	if len(raw) <= maxAuditText {
		return raw
	}
	text := string(raw)
	var s string
	if json.Unmarshal(raw, &s) == nil {
		text = s
	}
	if len(text) > maxAuditText {
		end := maxAuditText
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "…"
	}
	cut, _ := json.Marshal(text) // a string marshals
	return cut
}
