package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"parley"
	"parley/internal/secret"
	"parley/internal/store"
)

// The server's own settings.
const (
	settingRing         = "secret_fingerprint"
	settingDefaultOrg   = "default_organization"
	settingExampleVoice = "example_voice_agent"
	settingExampleChat  = "example_chat_agent"
)

// setup is what the first start made, or an earlier one.
type setup struct {
	org          parley.Organization
	voiceAgentID string // "" when this database has no example agents
	chatAgentID  string
	firstKey     string // made now, to be shown once; "" otherwise
	bootstrapped bool   // the first key is the one of PARLEY_BOOTSTRAP_KEY, made now
}

// openRing opens the key ring that belongs to this database. A ring is made only for a database that never
// had one: another ring could not open what is sealed in it.
func (a *app) openRing(ctx context.Context) error {
	known, err := a.store.FindSetting(ctx, settingRing)
	if err != nil && !parley.IsNotFound(err) {
		return err
	}
	sealed, err := a.store.HasSealed(ctx)
	if err != nil {
		return err
	}
	file := a.cfg.KeyFile()
	ring, err := secret.OpenRing(file, known == "" && !sealed)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the key ring %s is missing, but this database was used with one: restore the file, or name it with PARLEY_SECRET_KEY_FILE", file)
	}
	if err != nil {
		return fmt.Errorf("PARLEY_SECRET_KEY_FILE: %w", err)
	}
	a.ring = ring
	switch known {
	case ring.Fingerprint():
		return nil
	case "":
		return a.store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(ctx, settingRing, ring.Fingerprint()) })
	}
	return fmt.Errorf("the key ring %s does not belong to this database: restore the ring it was used with, or name it with PARLEY_SECRET_KEY_FILE", file)
}

// setUp makes the default organization with its examples, and the first key, in one transaction each time
// something is missing.
func (a *app) setUp(ctx context.Context) error {
	return a.store.Write(ctx, func(tx *store.Tx) error {
		a.setup = setup{}
		if err := a.setup.findOrMake(ctx, tx); err != nil {
			return fmt.Errorf("setting up the default organization: %w", err)
		}
		n, err := tx.CountAPIKeys(ctx)
		if err != nil || n > 0 {
			return err
		}
		a.setup.bootstrapped = a.cfg.BootstrapKey != ""
		a.setup.firstKey, err = createKeyIn(ctx, tx, a.setup.org.ID, keyWish{
			name: "First key", text: a.cfg.BootstrapKey, scopes: []string{parley.ScopeAll}, actor: parley.ActorServer,
		})
		return err
	})
}

func (s *setup) findOrMake(ctx context.Context, tx *store.Tx) error {
	id, err := tx.FindSetting(ctx, settingDefaultOrg)
	if parley.IsNotFound(err) {
		return s.make(ctx, tx)
	}
	if err != nil {
		return err
	}
	if s.org, err = tx.FindOrganization(ctx, id); err != nil {
		return err
	}
	for key, dst := range map[string]*string{settingExampleVoice: &s.voiceAgentID, settingExampleChat: &s.chatAgentID} {
		if *dst, err = s.example(ctx, tx, key); err != nil {
			return err
		}
	}
	return nil
}

// example returns the id of an example agent that still exists.
func (s *setup) example(ctx context.Context, tx *store.Tx, key string) (string, error) {
	id, err := tx.FindSetting(ctx, key)
	if err == nil {
		_, err = tx.FindAgent(ctx, s.org.ID, id)
	}
	if parley.IsNotFound(err) {
		return "", nil
	}
	return id, err
}

// make creates the default organization, or adopts one of that name which `parley org create` made before the
// first start, and its examples.
func (s *setup) make(ctx context.Context, tx *store.Tx) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	org, err := tx.FindOrganization(ctx, parley.DefaultOrganizationName)
	if parley.IsNotFound(err) {
		org = parley.Organization{ID: parley.NewID(), Name: parley.DefaultOrganizationName, CreatedAt: now}
		err = tx.CreateOrganization(ctx, org)
	}
	if err != nil {
		return err
	}
	s.org = org
	voice, chat := exampleVoice(org.ID, now), exampleChat(org.ID, now)
	for _, agent := range []parley.Agent{voice, chat} {
		if err := tx.CreateAgent(ctx, org.ID, agent); err != nil {
			return err
		}
		made := parley.AuditResource{Type: "agent", ID: agent.ID, Name: agent.Name}
		if err := audit(ctx, tx, org.ID, parley.ActorServer, "create", made, nil, nil); err != nil {
			return err
		}
	}
	s.voiceAgentID, s.chatAgentID = voice.ID, chat.ID
	settings := map[string]string{settingDefaultOrg: org.ID, settingExampleVoice: voice.ID, settingExampleChat: chat.ID}
	for key, value := range settings {
		if err := tx.SetSetting(ctx, key, value); err != nil {
			return err
		}
	}
	return nil
}

func exampleVoice(orgID string, now time.Time) parley.Agent {
	c := parley.DefaultVoiceConfig()
	c.Greeting = "Hello, you have reached Parley. This is a demonstration agent. How can I help you today?"
	return parley.Agent{
		ID: parley.NewID(), OrgID: orgID, Name: "Example phone agent", Type: parley.AgentVoice, Status: parley.AgentActive,
		Model: parley.DefaultVoiceModel, Instructions: "You answer the phone of a small company. Be friendly and brief. Say the time when somebody asks for it.",
		Voice: &c, ToolIDs: []string{"current_time"}, PhoneNumbers: []string{}, CreatedAt: now, UpdatedAt: now,
	}
}

func exampleChat(orgID string, now time.Time) parley.Agent {
	c := parley.DefaultChatConfig()
	c.Title, c.Greeting, c.Placeholder = "Example chat", "Hello. How can I help you?", "Write a message"
	return parley.Agent{
		ID: parley.NewID(), OrgID: orgID, Name: "Example chat agent", Type: parley.AgentChat, Status: parley.AgentActive,
		Model: parley.DefaultChatModel, Instructions: "You answer visitors of a small company's website. Be friendly and brief. Say the time when somebody asks for it.",
		Chat: &c, ToolIDs: []string{"current_time"}, CreatedAt: now, UpdatedAt: now,
	}
}
