package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

// tenants calls every method that takes an organization with the ids of another organization's things.
// Tenancy names the methods, so that a test can see that none is missing.
func tenants(t *testing.T, st *store.Store) {
	owner, intruder := Organization(t, st), Organization(t, st)
	agent := Agent(t, st, owner.ID, parley.AgentVoice, "+15550100001")
	foreign := Agent(t, st, intruder.ID, parley.AgentVoice)
	call := Call(t, st, agent)
	key := parley.APIKey{ID: parley.NewID(), CreatedAt: Now()}
	run := store.Run{ID: parley.NewID(), ConversationID: call.ID, Attempt: 1, Status: store.RunRunning, LeaseUntil: Now().Add(time.Hour), ClientScope: "visitor", ClientMessageID: "m"}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(
			tx.CreateAPIKey(ctx, owner.ID, key, []byte("hash")),
			tx.CreateLogin(ctx, owner.ID, ownersLogin(key)),
			tx.CreateRun(ctx, owner.ID, run),
			tx.AppendChunks(ctx, owner.ID, run, []store.Chunk{{Seq: 1, Text: "mine"}}),
			tx.CreatePageCall(ctx, owner.ID, run.ID, ownersPageCall),
			tx.CreateTestCall(ctx, owner.ID, call.ID, "CA", Now().Add(time.Hour)),
			tx.AppendEvents(ctx, owner.ID, call.ID, 0, numbered(1, 3)),
			tx.SetStreamToken(ctx, owner.ID, call.ID, []byte("token"), Now().Add(time.Hour)),
			tx.SetCredentials(ctx, owner.ID, store.SealedCredentials{OpenAIKey: []byte("sealed")}),
			tx.AppendAudit(ctx, owner.ID, parley.AuditEntry{ID: parley.NewID(), At: Now(), Resource: parley.AuditResource{Type: "agent", ID: agent.ID}}),
			claimed(ctx, tx, owner.ID),
			tx.CreateTool(ctx, owner.ID, ownersTool(owner.ID)),
			tx.SaveMCPServer(ctx, owner.ID, ownersTool("").ID, ownersTool("").UpdatedAt, parley.MCPServer{State: parley.MCPOK, CheckedAt: Now()}),
			putSecret(ctx, tx, owner.ID, "sealed"),
			tx.AddNumber(ctx, owner.ID, ownersNumber()),
			tx.SaveNote(ctx, owner.ID, ownersContact, parley.Note{Key: "k", Text: "mine"}),
			tx.CreateDocument(ctx, owner.ID, ownersDocument(agent), []parley.Passage{{Text: "Canary in a mine."}}),
			savedVisitor(ctx, tx, agent),
			tx.CreateVisitorSession(ctx, owner.ID, ownersSession(agent), []byte("visitor")),
			tx.DeferFeedback(ctx, owner.ID, call.ID, parley.Feedback{MessageID: "m", Rating: parley.RatingUp, At: feedbackAt}),
		)
	})
	before := snapshot(t, st, owner.ID, agent, call, run)
	for name, try := range Tenancy(agent, foreign, call, key, run) {
		var outcome error
		_ = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			outcome = try(ctx, tx, intruder.ID)
			return nil
		})
		// An error must say "not found" (or fenced), as for something that does not exist.
		if !parley.IsNotFound(outcome) && !errors.Is(outcome, store.ErrFenced) && !errors.Is(outcome, errNothing) {
			t.Errorf("%s: %v", name, outcome)
		}
	}
	same(t, nil, snapshot(t, st, owner.ID, agent, call, run), before)
}

// errNothing is the outcome of a method that found or changed nothing and is right to say so without an error.
var errNothing = errors.New("nothing found")

func nothing(n int, err error) error {
	if err == nil && n == 0 {
		return errNothing
	}
	return err
}

// mcpKept reports nothing when what the owner knows of its server is as it was.
func mcpKept(ctx context.Context, tx *store.Tx, owner string, err error) error {
	if err != nil {
		return err
	}
	found, err := tx.FindMCPServers(ctx, owner, []string{ownersTool("").ID})
	if err == nil && found[ownersTool("").ID].State == parley.MCPOK {
		err = errNothing
	}
	return err
}

// Tenancy is one attempt of an intruder for each method with an organization: intruder's organization, the
// owner's ids. Each must end in not_found, ErrFenced or nothing.
func Tenancy(agent, foreign parley.Agent, call parley.Call, key parley.APIKey, run store.Run) map[string]func(ctx context.Context, tx *store.Tx, orgID string) error {
	conv := parley.Conversation{ID: parley.NewID(), AgentID: agent.ID, Channel: parley.ChannelPhone, StartedAt: Now()}
	existing := conv
	existing.ID = call.ID
	own := call
	own.AgentID, own.CallSID = foreign.ID, "CAother"
	again := run
	again.ID = parley.NewID()
	return map[string]func(ctx context.Context, tx *store.Tx, orgID string) error{
		"FindCredentials": func(ctx context.Context, tx *store.Tx, orgID string) error {
			c, err := tx.FindCredentials(ctx, orgID)
			return nothing(len(c.OpenAIKey), err)
		},
		"SetCredentials": func(ctx context.Context, tx *store.Tx, _ string) error {
			return tx.SetCredentials(ctx, parley.NewID(), store.SealedCredentials{})
		},
		"ListAPIKeys": func(ctx context.Context, tx *store.Tx, orgID string) error {
			list, _, err := tx.ListAPIKeys(ctx, orgID, 0, 0)
			return nothing(len(list), err)
		},
		"CreateAPIKey": func(context.Context, *store.Tx, string) error { return errNothing }, // refers to nothing
		"FindAPIKey": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindAPIKey(ctx, orgID, key.ID)
			return err
		},
		"UpdateAPIKey": func(ctx context.Context, tx *store.Tx, orgID string) error { return tx.UpdateAPIKey(ctx, orgID, key) },
		"UpdateOrganization": func(ctx context.Context, tx *store.Tx, _ string) error {
			return tx.UpdateOrganization(ctx, parley.NewID(), parley.Organization{Name: "Stolen"})
		},
		"AppendAudit": func(context.Context, *store.Tx, string) error { return errNothing }, // refers to nothing
		"ListAudit": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, total, err := tx.ListAudit(ctx, orgID, parley.AuditFilter{ResourceID: agent.ID})
			return nothing(total, err)
		},
		"ClaimIdempotency": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, mine, err := tx.ClaimIdempotency(ctx, orgID, UsedKey, store.Claim{Fingerprint: []byte("g"), ExpiresAt: Now().Add(time.Hour)})
			if err == nil && !mine {
				return errors.New("met another organization's claim")
			}
			return nothing(0, err)
		},
		"FindIdempotency": func(ctx context.Context, tx *store.Tx, orgID string) error {
			c, err := tx.FindIdempotency(ctx, orgID, UsedKey)
			if err == nil && string(c.Fingerprint) == "f" {
				return errors.New("found the owner's claim")
			}
			return nothing(0, err) // perhaps its own claim, of the line above
		},
		"AnswerIdempotency": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return nothing(0, tx.AnswerIdempotency(ctx, orgID, UsedKey, []byte("stolen")))
		},
		"RevokeAPIKey": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.RevokeAPIKey(ctx, orgID, key.ID, Now())
		},
		"CreateLogin": func(ctx context.Context, tx *store.Tx, orgID string) error {
			l := ownersLogin(key)
			l.Hash = []byte("another cookie")
			return tx.CreateLogin(ctx, orgID, l)
		},
		"DeleteLogin": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return nothing(0, tx.DeleteLogin(ctx, orgID, ownersLogin(key).Hash))
		},
		"TouchAPIKey": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return nothing(0, tx.TouchAPIKey(ctx, orgID, key.ID, Now()))
		},
		"FindAgent": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindAgent(ctx, orgID, agent.ID)
			return err
		},
		"ListAgents": func(ctx context.Context, tx *store.Tx, orgID string) error {
			page, err := tx.ListAgents(ctx, orgID, parley.AgentFilter{IncludeDeleted: true})
			return nothing(page.Total-1, err) // its own
		},
		"CreateAgent": func(ctx context.Context, tx *store.Tx, orgID string) error {
			err := tx.CreateAgent(ctx, orgID, agent)
			if parley.IsConflict(err) { // ids are random: a taken one tells nothing
				return errNothing
			}
			return err
		},
		"UpdateAgent": func(ctx context.Context, tx *store.Tx, orgID string) error { return tx.UpdateAgent(ctx, orgID, agent) },
		"DeleteAgent": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.DeleteAgent(ctx, orgID, agent.ID, Now())
		},
		"FindDeletedAgent": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindDeletedAgent(ctx, orgID, agent.ID)
			return err
		},
		"RestoreAgent": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.RestoreAgent(ctx, orgID, agent.ID, Now())
			return err
		},
		"FindNumber": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindNumber(ctx, orgID, ownersNumber().ID)
			return err
		},
		"ListNumbers": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, total, err := tx.ListNumbers(ctx, orgID, parley.NumberFilter{AgentID: agent.ID, Search: "1"})
			return nothing(total, err)
		},
		"FindNumberHolders": func(ctx context.Context, tx *store.Tx, orgID string) error {
			found, err := tx.FindNumberHolders(ctx, orgID, []string{ownersNumber().Number, "+15550100001"})
			for _, h := range found {
				if h != (store.NumberHolder{}) {
					return errors.New("found the owner's number")
				}
			}
			return nothing(0, err)
		},
		"HoldNumber": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.HoldNumber(ctx, orgID, ownersNumber().ID, foreign.ID)
			return err
		},
		"AddNumber": func(ctx context.Context, tx *store.Tx, orgID string) error {
			n := ownersNumber()
			n.ID, n.Number, n.AgentID = parley.NewID(), "+15550100098", agent.ID
			return tx.AddNumber(ctx, orgID, n)
		},
		"UpdateNumber": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.UpdateNumber(ctx, orgID, ownersNumber(), parley.PhoneNumber{Label: "Stolen", AgentID: foreign.ID})
		},
		"DeleteNumber": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.DeleteNumber(ctx, orgID, ownersNumber(), Now())
		},
		"SetNumberSetup": func(ctx context.Context, tx *store.Tx, orgID string) error {
			noted, err := tx.SetNumberSetup(ctx, orgID, ownersNumber().ID, 1, "PN", parley.NumberSetup{State: parley.SetupFailed})
			if noted {
				return errors.New("changed the owner's number")
			}
			return nothing(0, err)
		},
		"FindTool": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindTool(ctx, orgID, ownersTool("").ID)
			return err
		},
		"FindTools": func(ctx context.Context, tx *store.Tx, orgID string) error {
			found, err := tx.FindTools(ctx, orgID, []string{ownersTool("").ID})
			return nothing(len(found), err)
		},
		"ListTools": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, total, err := tx.ListTools(ctx, orgID, parley.ToolFilter{Kind: parley.ToolHTTP, Search: "look", Category: "shop"})
			return nothing(total, err)
		},
		"LoadTools": func(ctx context.Context, tx *store.Tx, orgID string) error {
			tools, err := tx.LoadTools(ctx, orgID, []string{ownersTool("").ID})
			return nothing(len(tools), err)
		},
		"AgentHasTool": func(ctx context.Context, tx *store.Tx, orgID string) error {
			has, err := tx.AgentHasTool(ctx, orgID, agent.ID, ownersTool("").ID)
			if err == nil && !has {
				err = errNothing
			}
			return err
		},
		"ListToolEvents": func(ctx context.Context, tx *store.Tx, orgID string) error {
			events, err := tx.ListToolEvents(ctx, orgID, call.ID, 1<<40, 100)
			return nothing(len(events), err)
		},
		"FindMCPServers": func(ctx context.Context, tx *store.Tx, orgID string) error {
			found, err := tx.FindMCPServers(ctx, orgID, []string{ownersTool("").ID})
			return nothing(len(found), err)
		},
		"SaveMCPServer": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return mcpKept(ctx, tx, agent.OrgID, tx.SaveMCPServer(ctx, orgID, ownersTool("").ID, ownersTool("").UpdatedAt, parley.MCPServer{State: "stolen"}))
		},
		"ForgetMCPServer": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return mcpKept(ctx, tx, agent.OrgID, tx.ForgetMCPServer(ctx, orgID, ownersTool("").ID))
		},
		"ListSecrets": func(ctx context.Context, tx *store.Tx, orgID string) error {
			list, err := tx.ListSecrets(ctx, orgID)
			return nothing(len(list), err)
		},
		"FindSecret": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindSecret(ctx, orgID, ownersSecret)
			return err
		},
		"LoadSecrets": func(ctx context.Context, tx *store.Tx, orgID string) error {
			values, err := tx.LoadSecrets(ctx, orgID, []string{ownersSecret})
			return nothing(len(values), err)
		},
		"PutSecret": func(ctx context.Context, tx *store.Tx, _ string) error {
			return nothing(0, putSecret(ctx, tx, parley.NewID(), "stolen"))
		},
		"DeleteSecret": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.DeleteSecret(ctx, orgID, ownersSecret)
		},
		"CreateTool": func(ctx context.Context, tx *store.Tx, orgID string) error {
			err := tx.CreateTool(ctx, orgID, ownersTool(orgID)) // the function name is free here
			if parley.IsConflict(err) {                         // ids are random: a taken one tells nothing
				return errNothing
			}
			return err
		},
		"UpdateTool": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.UpdateTool(ctx, orgID, ownersTool(orgID))
		},
		"DeleteTool": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.DeleteTool(ctx, orgID, ownersTool("").ID)
		},
		"FindConversation": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindConversation(ctx, orgID, call.ID)
			return err
		},
		"ListConversations": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, total, err := tx.ListConversations(ctx, orgID, parley.ConversationFilter{AgentID: agent.ID})
			return nothing(total, err)
		},
		"CreateConversation": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.CreateConversation(ctx, orgID, conv)
		},
		"UpdateConversation": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.UpdateConversation(ctx, orgID, existing)
		},
		"ListEvents": func(ctx context.Context, tx *store.Tx, orgID string) error {
			list, err := tx.ListEvents(ctx, orgID, call.ID, 0, 0)
			return nothing(len(list), err)
		},
		"FindPosition": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, _, err := tx.FindPosition(ctx, orgID, call.ID)
			return err
		},
		"RaiseEpoch": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, _, err := tx.RaiseEpoch(ctx, orgID, call.ID)
			return err
		},
		"AppendEvents": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.AppendEvents(ctx, orgID, call.ID, 0, numbered(4, 1))
		},
		"FindCall": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindCall(ctx, orgID, call.ID)
			return err
		},
		"CreateCall": func(ctx context.Context, tx *store.Tx, orgID string) error { return tx.CreateCall(ctx, orgID, own) },
		"TouchCall": func(ctx context.Context, tx *store.Tx, orgID string) error {
			mine, err := tx.TouchCall(ctx, orgID, call, Now())
			if mine {
				return errors.New("touched the owner's call")
			}
			return nothing(0, err)
		},
		"SetResumes": func(ctx context.Context, tx *store.Tx, orgID string) error { return tx.SetResumes(ctx, orgID, own) },
		"MarkCallOver": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return nothing(0, tx.MarkCallOver(ctx, orgID, call.ID, parley.EndCallerHangup, Now()))
		},
		"UpdateCall": func(ctx context.Context, tx *store.Tx, orgID string) error { return tx.UpdateCall(ctx, orgID, own) },
		"SetStreamToken": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.SetStreamToken(ctx, orgID, call.ID, []byte("stolen"), Now().Add(time.Hour))
		},
		"FindRun": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindRun(ctx, orgID, run.ID)
			return err
		},
		"CreateRun": func(ctx context.Context, tx *store.Tx, orgID string) error { return tx.CreateRun(ctx, orgID, again) },
		"RenewRun": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.RenewRun(ctx, orgID, run, Now())
		},
		"AdoptRun": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.AdoptRun(ctx, orgID, run.ID, "thief", Now().Add(time.Hour))
		},
		"AppendChunks": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return errors.Join(errNothing, tx.AppendChunks(ctx, orgID, run, []store.Chunk{{Seq: 9, Text: "stolen"}})) // the snapshot tells
		},
		"ListChunks": func(ctx context.Context, tx *store.Tx, orgID string) error {
			all, err := tx.ListChunks(ctx, orgID, run.ID, 0, 0)
			return nothing(len(all), err)
		},
		"FindClientRun": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindClientRun(ctx, orgID, run.ClientScope, run.ClientMessageID)
			return err
		},
		"FindNewestRun": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindNewestRun(ctx, orgID, run.ConversationID)
			return err
		},
		"StopRun": func(ctx context.Context, tx *store.Tx, orgID string) error { return tx.StopRun(ctx, orgID, run.ID) },
		"FinishRun": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.FinishRun(ctx, orgID, run.ID, store.RunFailed, Now(), store.RunEnd{})
		},
		"SetIdentitySecret": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.SetIdentitySecret(ctx, orgID, agent.ID, []byte("stolen"))
		},
		"RevokeVisitors": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.RevokeVisitors(ctx, orgID, agent.ID, Now())
		},
		"FindVisitor": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindVisitor(ctx, orgID, ownersVisitor(agent).ID)
			return err
		},
		"SaveVisitor": func(ctx context.Context, tx *store.Tx, orgID string) error {
			v := ownersVisitor(foreign)
			v.Name = "Stolen"
			_, err := tx.SaveVisitor(ctx, orgID, v)
			return err
		},
		"FindVisitorChat": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindVisitorChat(ctx, orgID, agent.ID, ownersVisitor(agent).ID, time.Time{})
			return err
		},
		"GiveConversation": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return nothing(0, tx.GiveConversation(ctx, orgID, call.ID, "", "stolen"))
		},
		"CreateVisitorSession": func(ctx context.Context, tx *store.Tx, orgID string) error {
			s := ownersSession(agent)
			s.ID = parley.NewID()
			return tx.CreateVisitorSession(ctx, orgID, s, []byte("stolen"))
		},
		"UseVisitorSession": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.UseVisitorSession(ctx, orgID, ownersSession(agent).ID, []byte("visitor"))
		},
		"CreatePageCall": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.CreatePageCall(ctx, orgID, run.ID, parley.NewID())
		},
		"FindPageCall": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindPageCall(ctx, orgID, run.ID, ownersPageCall)
			return err
		},
		"ClaimPageCall": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.ClaimPageCall(ctx, orgID, run.ID, ownersPageCall, "thief")
			return err
		},
		"AnswerPageCall": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.AnswerPageCall(ctx, orgID, run.ID, store.PageCall{ID: ownersPageCall, Claim: "thief", Result: "stolen"})
		},
		"ClosePageCall": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.ClosePageCall(ctx, orgID, run.ID, ownersPageCall)
		},
		"DeferFeedback": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.DeferFeedback(ctx, orgID, call.ID, parley.Feedback{MessageID: "m", Rating: parley.RatingDown})
		},
		"LogFeedback": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.LogFeedback(ctx, orgID, call.ID, "m", feedbackAt)
		},
		"ReplaceVisitorSession": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.ReplaceVisitorSession(ctx, orgID, ownersSession(agent), []byte("visitor"), []byte("stolen"), Now().Add(time.Hour))
		},
		"EndConversationSessions": func(ctx context.Context, tx *store.Tx, orgID string) error {
			n, err := tx.EndConversationSessions(ctx, orgID, ownersSession(agent).ConversationID)
			return nothing(int(n), err)
		},
		"CountMessages": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.CountMessages(ctx, orgID, agent.ID, 1, "")
			return err
		},
		"SaveFeedback": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.SaveFeedback(ctx, orgID, call.ID, parley.Feedback{MessageID: "m", Rating: parley.RatingDown})
		},
		"ListFeedback": func(ctx context.Context, tx *store.Tx, orgID string) error {
			list, err := tx.ListFeedback(ctx, orgID, call.ID)
			return nothing(len(list), err)
		},
		"SaveNote": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return nothing(0, tx.SaveNote(ctx, orgID, ownersContact, parley.Note{Key: "k", Text: "stolen"})) // one of its own
		},
		"ListNotes": func(ctx context.Context, tx *store.Tx, orgID string) error {
			list, err := tx.ListNotes(ctx, orgID, ownersContact)
			if len(list) > 0 && list[0].Text == "mine" {
				return errors.New("read the owner's notes")
			}
			return nothing(0, err)
		},
		"DeleteNotes": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.DeleteNotes(ctx, orgID, ownersContact, "")
			return nothing(0, err)
		},
		"CreateDocument": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.CreateDocument(ctx, orgID, NewDocument(agent, "Stolen"), nil)
		},
		"ReplaceDocument": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.ReplaceDocument(ctx, orgID, ownersDocument(agent), nil)
		},
		"FindDocument": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, err := tx.FindDocument(ctx, orgID, agent.ID, ownersDocument(agent).ID)
			return err
		},
		"ListDocuments": func(ctx context.Context, tx *store.Tx, orgID string) error {
			_, total, err := tx.ListDocuments(ctx, orgID, agent.ID, 0, 0)
			return nothing(total, err)
		},
		"DeleteDocument": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.DeleteDocument(ctx, orgID, agent.ID, ownersDocument(agent).ID)
		},
		"SearchPassages": func(ctx context.Context, tx *store.Tx, orgID string) error {
			found, err := tx.SearchPassages(ctx, orgID, agent.ID, "canary", 5)
			return nothing(len(found), err)
		},
		"CreateTestCall": func(context.Context, *store.Tx, string) error { return errNothing }, // refers to nothing
		"UseTestCall": func(ctx context.Context, tx *store.Tx, orgID string) error {
			return tx.UseTestCall(ctx, orgID, call.ID, "CA", Now())
		},
	}
}

func ownersVisitor(a parley.Agent) parley.Visitor {
	return parley.Visitor{ID: "01a20b45-322f-7c1e-8f20-93d0c2b8a701", AgentID: a.ID, Name: "Ada"}
}

func savedVisitor(ctx context.Context, tx *store.Tx, a parley.Agent) error {
	_, err := tx.SaveVisitor(ctx, a.OrgID, ownersVisitor(a))
	return err
}

func ownersSession(a parley.Agent) parley.VisitorSession {
	return parley.VisitorSession{ID: "01a20b45-322f-7c1e-8f20-93d0c2b8a702", OrgID: a.OrgID, AgentID: a.ID, ConversationID: "01a20b45-322f-7c1e-8f20-93d0c2b8a703"}
}

// UsedKey is an idempotency key that the owner has used.
var UsedKey = store.IdempotencyID{Method: "POST", Route: "/x", Key: "used"}

func claimed(ctx context.Context, tx *store.Tx, orgID string) error {
	_, _, err := tx.ClaimIdempotency(ctx, orgID, UsedKey, store.Claim{Fingerprint: []byte("f"), ExpiresAt: Now().Add(time.Hour)})
	return errors.Join(err, tx.AnswerIdempotency(ctx, orgID, UsedKey, []byte("answer")))
}

func ownersLogin(k parley.APIKey) store.Login {
	return store.Login{Hash: []byte("cookie"), KeyID: k.ID, CreatedAt: Now(), ExpiresAt: Now().Add(time.Hour)}
}

// snapshot reads everything that the intruder tried to change.
func snapshot(t *testing.T, st *store.Store, orgID string, agent parley.Agent, call parley.Call, run store.Run) []any {
	t.Helper()
	ctx := t.Context()
	a, err1 := st.FindAgent(ctx, orgID, agent.ID)
	c, err2 := st.FindConversation(ctx, orgID, call.ID)
	k, err3 := st.FindStreamToken(ctx, []byte("token"), Now())
	e, err4 := st.ListEvents(ctx, orgID, call.ID, 0, 0)
	r, err5 := st.FindRun(ctx, orgID, run.ID)
	keys, _, err6 := st.ListAPIKeys(ctx, orgID, 0, 0)
	secrets, err7 := st.FindCredentials(ctx, orgID)
	claim, err8 := st.FindIdempotency(ctx, orgID, UsedKey)
	org, err9 := st.FindOrganization(ctx, orgID)
	tool, err10 := st.FindTool(ctx, orgID, ownersTool("").ID)
	number, err11 := st.FindNumber(ctx, orgID, ownersNumber().ID)
	login, _, err15 := st.FindLoginHolder(ctx, []byte("cookie"), Now())
	visitor, err12 := st.FindVisitor(ctx, orgID, ownersVisitor(agent).ID)
	session, err13 := st.FindVisitorSession(ctx, []byte("visitor"))
	secret, err16 := st.LoadSecrets(ctx, orgID, []string{ownersSecret})
	notes, err17 := st.ListNotes(ctx, orgID, ownersContact)
	document, err18 := st.FindDocument(ctx, orgID, agent.ID, ownersDocument(agent).ID)
	found, err19 := st.SearchPassages(ctx, orgID, agent.ID, "canary", 5)
	feedback, err14 := st.ListFeedback(ctx, orgID, call.ID)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11, err12, err13, err14, err15, err16, err17, err18, err19); err != nil {
		t.Fatal(err)
	}
	return []any{a, c, k, e, r, keys, secrets, claim, org, tool, number, visitor, session, feedback, login, secret, notes, document, found}
}
