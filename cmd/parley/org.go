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
	Limit  orgLimitCmd  `cmd:"" help:"Grant an organization another rate limit than the server's default."`
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
			if err := tx.CreateOrganization(ctx, org); err != nil {
				return err
			}
			made := parley.AuditResource{Type: "organization", ID: org.ID, Name: org.Name}
			if err := audit(ctx, tx, org.ID, parley.ActorShell, "create", made, nil, map[string]string{"name": org.Name}); err != nil || !c.Key {
				return err
			}
			out.Key, err = createKeyIn(ctx, tx, org.ID, keyWish{name: "First key", scopes: []string{parley.ScopeAll}, actor: parley.ActorShell})
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
		_, _ = fmt.Fprintln(t, "ID\tNAME\tCREATED\tCALLS ITSELF")
		for _, o := range orgs {
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", o.ID, o.Handle, o.CreatedAt.Format(time.DateTime), o.Name)
		}
		return t.Flush()
	})
}

type orgLimitCmd struct {
	config.Data `embed:""`
	Org         string `arg:"" name:"organization" help:"Id or name."`
	PerMinute   int    `name:"requests-per-minute" placeholder:"N" xor:"limit" required:"" help:"The most that the organization may choose, and has unless it chooses less."`
	Default     bool   `name:"default" xor:"limit" required:"" help:"Take the server's default again."`
}

// Validate checks the number; kong calls it.
func (c *orgLimitCmd) Validate() error {
	if !c.Default && (c.PerMinute < 1 || c.PerMinute > parley.MaxRequestsPerMinute) {
		return fmt.Errorf("give --requests-per-minute 1 to %d, or --default", parley.MaxRequestsPerMinute)
	}
	return c.Data.Validate()
}

// Run sets the limit; a running server follows within a second.
func (c *orgLimitCmd) Run(ctx context.Context, s streams) error {
	return withStore(ctx, c.Data, func(st *store.Store) error {
		org, err := findOrg(ctx, st, c.Org)
		if err != nil {
			return err
		}
		err = st.Write(ctx, func(tx *store.Tx) error {
			org, err := tx.FindOrganization(ctx, org.ID) // again: a request may change it meanwhile
			if err != nil {
				return err
			}
			before := granted{org.MaxRequestsPerMinute}
			org.MaxRequestsPerMinute = &c.PerMinute
			if c.Default {
				org.MaxRequestsPerMinute = nil
			}
			if err := tx.UpdateOrganization(ctx, org.ID, org); err != nil {
				return err
			}
			resource := parley.AuditResource{Type: "organization", ID: org.ID, Name: org.Name}
			return audit(ctx, tx, org.ID, parley.ActorShell, "limit", resource, before, granted{org.MaxRequestsPerMinute})
		})
		if err != nil {
			return err
		}
		if c.Default {
			_, err = fmt.Fprintf(s.out, "%s has the server's default rate limit again\n", org.Name)
		} else {
			_, err = fmt.Fprintf(s.out, "%s may send %d requests per minute\n", org.Name, c.PerMinute)
		}
		return err
	})
}

// granted is what the audit log tells of a limit.
type granted struct {
	MaxRequestsPerMinute *int `json:"maxRequestsPerMinute"`
}
