package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"parley"
	"parley/internal/config"
	"parley/internal/store"
)

type orgCmd struct {
	Create orgCreateCmd `cmd:"" help:"Create an organization and print it as JSON."`
	List   orgListCmd   `cmd:"" help:"List organizations."`
}

type orgCreateCmd struct {
	config.Data `embed:""`
	Name        string `arg:"" help:"Name, unique on this server."`
	Key         bool   `name:"key" help:"Also make a first API key with all scopes and print it as \"key\"."`
}

// Validate checks the name; kong calls it.
func (c *orgCreateCmd) Validate() error {
	c.Name = strings.TrimSpace(c.Name)
	if n := utf8.RuneCountInString(c.Name); !utf8.ValidString(c.Name) || n < 1 || n > parley.MaxAgentName {
		return errors.New("the name must have 1 to 255 characters")
	}
	return c.Data.Validate()
}

// Run prints {"id","name"} and, with --key, "key".
func (c *orgCreateCmd) Run(ctx context.Context, s streams) error {
	return withStore(ctx, c.Data, func(st *store.Store) error {
		org := parley.Organization{ID: parley.NewID(), Name: c.Name, CreatedAt: time.Now().UTC().Truncate(time.Microsecond)}
		out := struct {
			ID   string `json:"id"`
			Name string `json:"name"`
			Key  string `json:"key,omitempty"`
		}{ID: org.ID, Name: org.Name}
		err := st.Write(ctx, func(tx *store.Tx) (err error) {
			if err := tx.CreateOrganization(ctx, org); err != nil || !c.Key {
				return err
			}
			out.Key, err = createKeyIn(ctx, tx, org.ID, "First key", "", []string{parley.ScopeAll}, 0)
			return err
		})
		if err != nil {
			return err
		}
		return json.NewEncoder(s.out).Encode(out)
	})
}

type orgListCmd struct {
	config.Data `embed:""`
}

// Run prints a table.
func (c *orgListCmd) Run(ctx context.Context, s streams) error {
	return withStore(ctx, c.Data, func(st *store.Store) error {
		orgs, err := st.ListOrganizations(ctx)
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, "ID\tNAME\tCREATED")
		for _, o := range orgs {
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", o.ID, o.Name, o.CreatedAt.Format(time.DateTime))
		}
		return t.Flush()
	})
}
