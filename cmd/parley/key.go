package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"parley"
	"parley/internal/auth"
	"parley/internal/config"
	"parley/internal/store"
)

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Create an API key and print it: the key only, once."`
	List   keyListCmd   `cmd:"" help:"List the keys of an organization."`
	Revoke keyRevokeCmd `cmd:"" help:"Revoke a key by its id."`
}

// ofOrg are the flags of commands that concern one organization.
type ofOrg struct {
	config.Data `embed:""`
	Org         string `name:"org" placeholder:"ID|NAME" help:"Organization (default: the default one)."`
}

type keyCreateCmd struct {
	ofOrg  `embed:""`
	Name   string        `name:"name" default:"Command line" help:"Name for people to recognize it."`
	About  string        `name:"description" placeholder:"TEXT" help:"What the key is for."`
	Scopes []string      `name:"scope" placeholder:"SCOPE" help:"Scope, repeatable (default: everything); an unknown one lists them all."`
	Expire time.Duration `name:"expires-in" placeholder:"DURATION" help:"Life of the key, such as 720h (default: no end)."`
}

// Validate checks what the flags say; kong calls it.
func (c *keyCreateCmd) Validate() error {
	for _, s := range c.Scopes {
		if !slices.Contains(parley.Scopes, s) {
			return fmt.Errorf("--scope %s is unknown: give one of %s", s, strings.Join(parley.Scopes, ", "))
		}
	}
	if n := len([]rune(strings.TrimSpace(c.Name))); n < 1 || n > 100 {
		return fmt.Errorf("--name must have 1 to 100 characters")
	}
	if len([]rune(c.About)) > parley.MaxKeyDescription {
		return fmt.Errorf("--description must have at most %d characters", parley.MaxKeyDescription)
	}
	if c.Expire < 0 {
		return fmt.Errorf("--expires-in must not be negative")
	}
	return c.Data.Validate()
}

// Run prints only the key on standard output.
func (c *keyCreateCmd) Run(ctx context.Context, s streams) error {
	return withStore(ctx, c.Data, func(st *store.Store) error {
		org, err := findOrg(ctx, st, c.Org)
		if err != nil {
			return err
		}
		if len(c.Scopes) == 0 {
			c.Scopes = []string{parley.ScopeAll}
		}
		text, err := createKey(ctx, st, org.ID, keyWish{name: c.Name, description: c.About, scopes: c.Scopes, life: c.Expire, actor: parley.ActorShell})
		if err == nil {
			_, err = fmt.Fprintln(s.out, text)
		}
		return err
	})
}

// keyWish is a key to be made.
type keyWish struct {
	name, description string
	text              string // "" makes one
	scopes            []string
	life              time.Duration // 0 = no end
	actor             string        // for the audit log
}

// createKey makes a key in a transaction of its own; see createKeyIn.
func createKey(ctx context.Context, st *store.Store, orgID string, w keyWish) (text string, err error) {
	err = st.Write(ctx, func(tx *store.Tx) error {
		text, err = createKeyIn(ctx, tx, orgID, w)
		return err
	})
	return text, err
}

// createKeyIn stores a key and returns its text.
func createKeyIn(ctx context.Context, tx *store.Tx, orgID string, w keyWish) (string, error) {
	if w.text == "" {
		w.text = auth.NewKey()
	}
	key := auth.Describe(orgID, w.name, w.text, w.scopes, time.Now())
	key.Description = w.description
	if w.life > 0 {
		end := key.CreatedAt.Add(w.life)
		key.ExpiresAt = &end
	}
	if err := tx.CreateAPIKey(ctx, orgID, key, auth.HashKey(w.text)); err != nil {
		return "", err
	}
	return w.text, audit(ctx, tx, orgID, w.actor, "create", keyResource(key), nil, key)
}

type keyListCmd struct {
	ofOrg `embed:""`
}

// Run prints a table, oldest key first.
func (c *keyListCmd) Run(ctx context.Context, s streams) error {
	return withStore(ctx, c.Data, func(st *store.Store) error {
		org, err := findOrg(ctx, st, c.Org)
		if err != nil {
			return err
		}
		keys, _, err := st.ListAPIKeys(ctx, org.ID, 0, 0)
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, "ID\tNAME\tKEY\tSCOPES\tCREATED\tLAST USED\tSTATE")
		for _, k := range keys {
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s…%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Prefix, k.Last4, strings.Join(k.Scopes, " "),
				k.CreatedAt.Format(time.DateTime), when(k.LastUsedAt), keyState(k, time.Now()))
		}
		return t.Flush()
	})
}

func when(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format(time.DateTime)
}

func keyState(k parley.APIKey, now time.Time) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case !k.Live(now):
		return "expired"
	}
	return "live"
}

type keyRevokeCmd struct {
	ofOrg `embed:""`
	ID    string `arg:"" help:"Id of the key (parley key list)."`
}

// Run revokes the key; a running server refuses it within a second.
func (c *keyRevokeCmd) Run(ctx context.Context, s streams) error {
	return withStore(ctx, c.Data, func(st *store.Store) error {
		org, err := findOrg(ctx, st, c.Org)
		if err != nil {
			return err
		}
		err = st.Write(ctx, func(tx *store.Tx) error {
			before, err := tx.FindAPIKey(ctx, org.ID, c.ID)
			if err != nil {
				return err
			}
			now := time.Now().UTC().Truncate(time.Microsecond)
			return errors.Join(tx.RevokeAPIKey(ctx, org.ID, c.ID, now), audit(ctx, tx, org.ID, parley.ActorShell, "revoke", keyResource(before), before, before.Revoked(now)))
		})
		if parley.IsNotFound(err) {
			return fmt.Errorf("the organization %s has no key %s: parley key list shows all", org.Name, c.ID)
		}
		if err == nil {
			_, err = fmt.Fprintln(s.out, "Revoked", c.ID)
		}
		return err
	})
}
