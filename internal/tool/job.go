package tool

import (
	"context"
	"encoding/json"

	"parley"
)

// job is a checked call on its way to what runs it: the tool as it is stored now, with its credentials, and
// arguments that fit its parameters.
type job struct {
	Call
	tool      parley.Tool
	arguments json.RawMessage // a JSON object
	trace     *Trace          // nil outside the test console
}

// answer is what a tool gave, without secrets.
type answer struct {
	text   string // for the model: our own words when there is data; else what came of the tool
	data   string // for the model: what came from outside
	own    bool   // text is our own words although there is no data
	detail Detail // for the operator
}

// executor runs the tools of one kind. It returns soon after ctx ends. An argumentError is told to the model
// as it is; any other error is told as a failure without its text, which may hold what a model must not see.
type executor func(ctx context.Context, j job) (answer, error)

// Detail is what an operator sees of a call beyond its output. It holds no secrets.
type Detail = parley.ToolDetail
