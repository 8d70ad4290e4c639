package parley

// The events of the gate, which decides what the caller's sounds mean while the agent speaks.
const (
	EventInterruptionRejected = "interruption.rejected" // fact, InterruptionRejectedData: the agent paused and went on
	EventTurnDecided          = "turn.decided"          // fact, TurnDecidedData: what becomes of a committed turn
)

// InterruptionRejectedData says that the agent paused for a sound that was no speech, and went on.
type InterruptionRejectedData struct {
	ItemID   string `json:"itemId"` // the caller's
	PausedMs int64  `json:"pausedMs"`
}

// What proves that the caller interrupts while the agent is heard (InterruptionData).
const (
	ByGate  = "gate"  // the sound itself
	ByKeys  = "keys"  // the caller pressed a key
	ByWords = "words" // the transcript of a sound that the gate had let pass
)

// The states that a committed turn of the caller ends in.
const (
	TurnAnswered    = "answered"    // the agent answers it
	TurnBackchannel = "backchannel" // "uh-huh": kept in the model's context, not answered
	TurnEcho        = "echo"        // the agent's own voice, or a noise: deleted from the model's context
)

// TurnDecidedData is the one decision on a committed turn. By is what decided: ByGate, ByWords, or "" when nobody
// else was speaking, so that there was nothing to decide.
type TurnDecidedData struct {
	ItemID string `json:"itemId"`
	State  string `json:"state"` // one of Turn*
	By     string `json:"by,omitempty"`
}
