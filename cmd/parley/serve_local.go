package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"parley"
	"parley/internal/auth"
)

// Files in the data folder that `parley call` on the same machine reads.
const (
	fileSimulatedTwilio = "twilio-simulated.json"
	fileExample         = "example.json"
	fileLocalKey        = "local-key"
)

// simulatedTwilio is the carrier account of the simulated phone, made at the first start without Twilio
// credentials.
type simulatedTwilio struct {
	AccountSID string `json:"accountSid"`
	AuthToken  string `json:"authToken"`
}

// example names what `parley call` dials when nothing is said.
type example struct {
	VoiceAgentID   string `json:"voiceAgentId"`
	ChatAgentID    string `json:"chatAgentId"`
	OrganizationID string `json:"organizationId"`
}

// writeLocalFiles brings the files of the data folder up to date and chooses the carrier account.
func (a *app) writeLocalFiles(ctx context.Context) error {
	a.carrier = parley.Credentials{TwilioAccountSID: a.cfg.TwilioAccountSID, TwilioAuthToken: a.cfg.TwilioAuthToken, OpenAIKey: a.cfg.OpenAIKey}
	if a.cfg.TwilioAuthToken == "" {
		t, err := openSimulatedTwilio(a.cfg.File(fileSimulatedTwilio))
		if err != nil {
			return err
		}
		a.carrier.TwilioAccountSID, a.carrier.TwilioAuthToken = t.AccountSID, t.AuthToken
	}
	e, err := json.Marshal(example{VoiceAgentID: a.setup.voiceAgentID, ChatAgentID: a.setup.chatAgentID, OrganizationID: a.setup.org.ID})
	if err != nil {
		return err
	}
	if err := writePrivate(a.cfg.File(fileExample), e); err != nil {
		return err
	}
	return a.keepLocalKey(ctx)
}

// openSimulatedTwilio reads the account, or makes it.
func openSimulatedTwilio(path string) (simulatedTwilio, error) {
	var t simulatedTwilio
	raw, err := os.ReadFile(path)
	if err == nil {
		if json.Unmarshal(raw, &t) != nil || t.AccountSID == "" || t.AuthToken == "" {
			return t, fmt.Errorf("%s is damaged: delete it, and the next start makes a new one", path)
		}
		return t, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return t, fmt.Errorf("reading the simulated phone's account: %w", err)
	}
	var sid, token [16]byte
	_, _ = rand.Read(sid[:])
	_, _ = rand.Read(token[:])
	t = simulatedTwilio{AccountSID: "AC" + hex.EncodeToString(sid[:]), AuthToken: hex.EncodeToString(token[:])}
	raw, err = json.Marshal(t)
	if err != nil {
		return t, err
	}
	return t, writePrivate(path, raw)
}

// localScopes are what `parley call` on this machine needs without asking for a key.
var localScopes = []string{parley.ScopeAgentsRead, parley.ScopeConversationsRead, parley.ScopeCalls}

// keepLocalKey makes the key file anew when its key does not work with this database.
func (a *app) keepLocalKey(ctx context.Context) error {
	path := a.cfg.File(fileLocalKey)
	raw, err := os.ReadFile(path)
	if err == nil {
		k, err := a.store.FindAPIKeyByHash(ctx, auth.HashKey(strings.TrimSpace(string(raw))))
		if err == nil && k.Live(time.Now()) && k.OrgID == a.setup.org.ID {
			return nil
		}
		if err != nil && !parley.IsNotFound(err) {
			return err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading the local key: %w", err)
	}
	text, err := createKey(ctx, a.store, a.setup.org.ID, keyWish{
		name: "parley call on this machine", description: "Made by the server, kept in its data folder.", scopes: localScopes, actor: parley.ActorServer,
	})
	if err != nil {
		return fmt.Errorf("making the local key: %w", err)
	}
	return writePrivate(path, []byte(text+"\n"))
}

// writePrivate replaces a file at once, readable by its owner only. A reader sees the old or the new content,
// never a part.
func writePrivate(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
