package call

import (
	"testing"

	"parley"
)

// TestConnected reads what Twilio says about the end of a Dial together with what the target did before.
func TestConnected(t *testing.T) {
	t.Parallel()
	const started, answered, accepted = parley.ErrandStarted, parley.ErrandAnswered, parley.ErrandAccepted
	const cold, warm, screened = parley.TransferCold, parley.TransferWarm, parley.TransferScreened
	for _, c := range []struct {
		mode            parley.TransferMode
		stage           parley.ErrandStage
		status, bridged string
		want            bool
		failure         string
	}{
		{cold, started, "completed", "true", true, ""},
		{cold, answered, "completed", "", true, ""}, // carriers that do not tell
		{cold, answered, "answered", "", true, ""},
		{cold, started, "busy", "false", false, "busy"},
		{cold, started, "no-answer", "", false, "no-answer"},
		{cold, started, "failed", "false", false, "failed"},
		{cold, answered, "completed", "false", false, "unknown"},
		{cold, started, "weird", "", false, "unknown"},
		{cold, answered, unknownStatus, "", true, ""}, // the request was lost
		{cold, started, unknownStatus, "", false, "unknown"},
		{warm, answered, "completed", "true", true, ""},
		{warm, answered, "completed", "false", false, "declined"}, // hung up on the summary
		{warm, answered, "no-answer", "false", false, "declined"}, // however Twilio calls that
		{warm, started, "busy", "", false, "busy"},
		{screened, accepted, "completed", "true", true, ""},
		{screened, accepted, "completed", "", true, ""},
		{screened, accepted, "completed", "false", false, "unknown"},
		{screened, answered, "completed", "", false, "declined"},
		{screened, answered, "completed", "true", false, "declined"}, // it has not pressed the key
		{screened, accepted, unknownStatus, "", true, ""},
		{screened, answered, unknownStatus, "", false, "declined"},
		{screened, started, "no-answer", "false", false, "no-answer"},
	} {
		e, d := parley.Errand{Mode: c.mode, Stage: c.stage}, Dialed{Status: c.status, Bridged: c.bridged}
		got := connected(e, d)
		if got != c.want || !got && failureOf(e, d) != c.failure {
			t.Errorf("%+v: connected %v, failure %q", c, got, failureOf(e, d))
		}
	}
}
